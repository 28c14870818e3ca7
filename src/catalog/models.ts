import { Type, type Static } from '@sinclair/typebox'

/** What a model is for; also the order in which the catalog lists its models. */
export const MODEL_TYPES = ['chat', 'image', 'speech'] as const

/** The context length of a chat model without a stated one. */
export const DEFAULT_CONTEXT_LENGTH = 1048576

/**
 * The `createdAt` of models without a known one. A constant, because a changing
 * `created` would change every ETag (vLLM and SGLang report the time of the
 * request).
 */
export const DEFAULT_CREATED_AT = '2025-05-01T00:00:00.000Z'

/**
 * Largest lengths of a model's texts in characters, the same as those of the
 * table's columns.
 */
export const MAX_LENGTH = { id: 100, name: 255, description: 10_000, provider: 100 } as const

// Control characters can stand neither in a header nor in a log line, and
// PostgreSQL cannot store U+0000 at all.
const line = (maxLength: number, description: string) => Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$', description })

const id = line(MAX_LENGTH.id, 'The name that requests use in `model`. May contain slashes.')
const name = line(MAX_LENGTH.name, 'What people read.')
const description = Type.String({ maxLength: MAX_LENGTH.description, pattern: '^[^\\u0000]*$', description: 'One sentence about the use of the model.' })
const provider = line(MAX_LENGTH.provider, 'Who made the model.')
const contextLength = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Largest number of tokens in one request, input and output together.' })
/** The ids that no client can request: every URL parser takes them, also percent-encoded, for a step in the path. */
export const NOT_ADDRESSABLE: ReadonlySet<string> = new Set(['.', '..'])

/** A time as JavaScript's `toISOString` writes it. */
export const TIME_PATTERN = '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$'
const createdAt = Type.String({ pattern: TIME_PATTERN, description: 'When the record was created (UTC).', examples: [DEFAULT_CREATED_AT] })

/** The kind of a model. */
export const ModelTypeSchema = Type.Union(MODEL_TYPES.map(type => Type.Literal(type)), { title: 'ModelType', description: 'What the model is for.', examples: ['chat'] })
export type ModelType = Static<typeof ModelTypeSchema>

const modalities = (description: string) => Type.Optional(Type.Array(Type.String({ pattern: '^[a-z][a-z0-9_-]{0,29}$' }), { minItems: 1, maxItems: 20, uniqueItems: true, description, examples: [['text', 'image']] }))
const ability = (description: string) => Type.Optional(Type.Boolean({ description }))

/** Capabilities of a model. Unknown ones are absent, never false. */
export const CapabilitiesSchema = Type.Object({
  input: modalities('What the model takes: `text`, `image`, `audio`, `video`, `file`.'),
  output: modalities('What the model gives: `text`, `image`, `audio`.'),
  tools: ability('Whether the model calls tools.'),
  reasoning: ability('Whether the model can reason before it answers.'),
  structuredOutput: ability('Whether the model can be held to a JSON schema.')
}, {
  additionalProperties: false,
  title: 'Capabilities',
  description: 'Capabilities of the model. Unknown ones are absent.',
  examples: [{ input: ['text', 'image'], output: ['text'], tools: true }]
})
/** Capabilities of a model. */
export type Capabilities = Static<typeof CapabilitiesSchema>

/** The full record of a model that may be used. A chat model always has a `contextLength`. */
export const ModelSchema = Type.Object({
  id,
  name,
  description,
  type: ModelTypeSchema,
  provider: Type.Optional(provider),
  contextLength: Type.Optional(contextLength),
  capabilities: Type.Optional(CapabilitiesSchema),
  createdAt: Type.Optional(createdAt)
}, {
  additionalProperties: false,
  title: 'Model',
  description: 'A model. Unknown fields are absent.',
  examples: [{ id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', type: 'chat', contextLength: 1048576, createdAt: DEFAULT_CREATED_AT }]
})
/** A model as the catalog knows it. */
export type Model = Static<typeof ModelSchema>

/** The fields of a model that an admin can set. */
export const CURATED_FIELDS = ['name', 'description', 'type', 'provider', 'contextLength', 'capabilities', 'isActive'] as const
/** A field that an admin can set. */
export type CuratedField = typeof CURATED_FIELDS[number]

/** A curated model. Clients do not see an inactive one. */
export type CuratedModel = Model & {
  isActive: boolean
  /**
   * The fields that an admin set. Absent: all of them. Any other field holds a
   * default, which a value reported by the inference service replaces.
   */
  set?: readonly CuratedField[]
}

/** The fields of a curated model that an admin set, and no others. */
export type CuratedFields = Pick<CuratedModel, 'id'> & Partial<Pick<CuratedModel, CuratedField>>

/** The values that an admin set. A field that was set to "unknown" is absent. */
export function curatedFields (model: CuratedModel): CuratedFields {
  if (model.set === undefined) {
    const { set, createdAt, ...fields } = model
    return fields
  }
  return Object.fromEntries(['id', ...model.set].flatMap(field => field in model ? [[field, model[field as CuratedField]]] : [])) as CuratedFields
}

/** An item of the list: a chat model. */
export const ChatItemSchema = Type.Object({ id, name, description, contextLength }, { additionalProperties: false, title: 'ChatModel' })

/** An item of the list: an image or speech model. */
export const MediaItemSchema = Type.Object({ id, name, description, provider: Type.Optional(provider) }, { additionalProperties: false, title: 'MediaModel' })

/** `GET /v1/models`: exactly the fields that the frontend's dropdowns read. */
export const ModelListSchema = Type.Array(Type.Union([ChatItemSchema, MediaItemSchema]), {
  title: 'ModelList',
  description: 'Chat models first, then image, then speech models.',
  examples: [[
    { id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', contextLength: 1048576 },
    { id: 'sdxl', name: 'Stable Diffusion XL', description: 'High-quality image generation', provider: 'StabilityAI' }
  ]]
})
/** The list as `GET /v1/models` sends it. */
export type ModelList = Static<typeof ModelListSchema>

/**
 * A model in the shape of OpenAI's API, with the context length under both names
 * that clients read, and the capabilities under the names of this gateway (`capabilities`) and of OpenRouter (`architecture`, `supported_parameters`).
 */
export const OpenAIModelSchema = Type.Object({
  id,
  object: Type.Literal('model'),
  created: Type.Integer({ description: 'When the record was created, seconds since 1970. Never changes.' }),
  owned_by: Type.String(),
  name,
  description,
  type: ModelTypeSchema,
  context_length: Type.Optional(contextLength),
  max_model_len: Type.Optional(contextLength),
  capabilities: Type.Optional(CapabilitiesSchema),
  architecture: Type.Optional(Type.Object({
    input_modalities: Type.Optional(Type.Array(Type.String(), { description: '`capabilities.input`.' })),
    output_modalities: Type.Optional(Type.Array(Type.String(), { description: '`capabilities.output`.' }))
  }, { additionalProperties: false, description: 'Input and output modalities, in the field names of OpenRouter.' })),
  supported_parameters: Type.Optional(Type.Array(Type.String(), { description: 'Known abilities of the model, in the names of OpenRouter: `tools`, `reasoning`, `structured_outputs`.' }))
}, {
  additionalProperties: false,
  title: 'OpenAIModel',
  examples: [{ id: 'gemini-1.5-flash', object: 'model', created: 1746057600, owned_by: 'model-gateway', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', type: 'chat', context_length: 1048576, max_model_len: 1048576 }]
})
/** A model as OpenAI clients read it. */
export type OpenAIModel = Static<typeof OpenAIModelSchema>

/** `GET /openai/v1/models`. */
export const OpenAIModelListSchema = Type.Object({
  object: Type.Literal('list'),
  data: Type.Array(OpenAIModelSchema)
}, { additionalProperties: false, title: 'OpenAIModelList' })
/** The list as `GET /openai/v1/models` sends it. */
export type OpenAIModelList = Static<typeof OpenAIModelListSchema>

/**
 * The active models, by type in the order of {@link MODEL_TYPES}, each type in its
 * own order.
 */
export function activeModels (curated: readonly CuratedModel[]): Model[] {
  return MODEL_TYPES.flatMap(type => curated.filter(model => model.isActive && model.type === type)).map(publicModel)
}

/**
 * The client's view of a curated model. Clients require the context length of a
 * chat model, so an unknown one is the default.
 */
export function publicModel ({ isActive, set, ...model }: CuratedModel): Model {
  if (model.type === 'chat') model.contextLength ??= DEFAULT_CONTEXT_LENGTH
  return model
}

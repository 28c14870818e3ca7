import { Type, type Static } from '@sinclair/typebox'

/** What a model is for; also the order in which the catalog lists its models. */
export const MODEL_TYPES = ['chat', 'image', 'speech'] as const

/** The context length of a chat model of which nobody states one. */
export const DEFAULT_CONTEXT_LENGTH = 1048576

/**
 * When a model of which nobody knows better was made. A constant, since a
 * `created` that moves makes every tag new (vLLM and SGLang report the time of
 * the request).
 */
export const DEFAULT_CREATED_AT = '2025-05-01T00:00:00.000Z'

/**
 * The most characters that a text of a model may have, whoever states it: the
 * table's columns, PostgreSQL's among them, have the same limits.
 */
export const MAX_LENGTH = { id: 100, name: 255, description: 10_000, provider: 100 } as const

// Control characters can stand neither in a header nor in a log line, and
// PostgreSQL cannot store U+0000 at all.
const line = (maxLength: number, description: string) => Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$', description })

const id = line(MAX_LENGTH.id, 'The name that requests use in `model`. May contain slashes.')
const name = line(MAX_LENGTH.name, 'What people read.')
const description = Type.String({ maxLength: MAX_LENGTH.description, pattern: '^[^\\u0000]*$', description: 'One sentence on what the model is good for.' })
const provider = line(MAX_LENGTH.provider, 'Who made the model.')
const contextLength = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Tokens that the model can read and write in one request.' })
/** A time as JavaScript's `toISOString` writes it. */
export const TIME_PATTERN = '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$'
const createdAt = Type.String({ pattern: TIME_PATTERN, description: 'When the record was made (UTC).', examples: [DEFAULT_CREATED_AT] })

/** The kind of a model. */
export const ModelTypeSchema = Type.Union(MODEL_TYPES.map(type => Type.Literal(type)), { description: 'What the model is for.', examples: ['chat'] })
export type ModelType = Static<typeof ModelTypeSchema>

const modalities = (description: string) => Type.Optional(Type.Array(Type.String({ pattern: '^[a-z][a-z0-9_-]{0,29}$' }), { minItems: 1, maxItems: 20, uniqueItems: true, description, examples: [['text', 'image']] }))
const ability = (description: string) => Type.Optional(Type.Boolean({ description }))

/** What a model can do, as far as it is known: what is unknown is left out, never false. */
export const CapabilitiesSchema = Type.Object({
  input: modalities('What the model takes: `text`, `image`, `audio`, `video`, `file`.'),
  output: modalities('What the model gives: `text`, `image`, `audio`.'),
  tools: ability('Whether the model calls tools.'),
  reasoning: ability('Whether the model can reason before it answers.'),
  structuredOutput: ability('Whether the model can be held to a JSON schema.')
}, {
  additionalProperties: false,
  description: 'What the model can do. What is not known is left out.',
  examples: [{ input: ['text', 'image'], output: ['text'], tools: true }]
})
/** What a model can do. */
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
  description: 'A model. Fields that are not known are left out.',
  examples: [{ id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', type: 'chat', contextLength: 1048576, createdAt: DEFAULT_CREATED_AT }]
})
/** A model as the catalog knows it. */
export type Model = Static<typeof ModelSchema>

/** The fields of a model that an admin can set. */
export const CURATED_FIELDS = ['name', 'description', 'type', 'provider', 'contextLength', 'capabilities', 'isActive'] as const
/** A field that an admin can set. */
export type CuratedField = typeof CURATED_FIELDS[number]

/** A curated model: one that is not active stays out of the catalog. */
export type CuratedModel = Model & {
  isActive: boolean
  /**
   * The fields that an admin set. Absent: all of them. A field that is not named
   * here holds a default, and gives way to what an inference service reports.
   */
  set?: readonly CuratedField[]
}

/** The fields of a curated model that an admin set, and no others. */
export type CuratedFields = Pick<CuratedModel, 'id'> & Partial<Pick<CuratedModel, CuratedField>>

/** What an admin set of a curated model. A field that was set to "not known" is not in it. */
export function curatedFields (model: CuratedModel): CuratedFields {
  if (model.set === undefined) {
    const { set, createdAt, ...fields } = model
    return fields
  }
  return Object.fromEntries(['id', ...model.set].flatMap(field => field in model ? [[field, model[field as CuratedField]]] : [])) as CuratedFields
}

/** An item of the list: a chat model. */
export const ChatItemSchema = Type.Object({ id, name, description, contextLength }, { additionalProperties: false, title: 'ChatModelItem' })

/** An item of the list: an image or speech model. */
export const MediaItemSchema = Type.Object({ id, name, description, provider: Type.Optional(provider) }, { additionalProperties: false, title: 'MediaModelItem' })

/** `GET /v1/models`: exactly what the frontend's dropdowns read. */
export const ModelListSchema = Type.Array(Type.Union([ChatItemSchema, MediaItemSchema]), {
  description: 'Chat models first, then image, then speech models.',
  examples: [[
    { id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', contextLength: 1048576 },
    { id: 'sdxl', name: 'Stable Diffusion XL', description: 'High-quality image generation', provider: 'StabilityAI' }
  ]]
})
/** The list as `GET /v1/models` sends it. */
export type ModelList = Static<typeof ModelListSchema>

/**
 * A model in the shape of OpenAI's API, with the context length under both names that clients read, and what it can do
 * under the names of this gateway (`capabilities`) and of OpenRouter (`architecture`, `supported_parameters`).
 */
export const OpenAIModelSchema = Type.Object({
  id,
  object: Type.Literal('model'),
  created: Type.Integer({ description: 'When the record was made, in seconds since 1970. Stable.' }),
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
  }, { additionalProperties: false, description: 'What the model takes and gives, in the field names of OpenRouter.' })),
  supported_parameters: Type.Optional(Type.Array(Type.String(), { description: 'The abilities that the model is known to have, in the words of OpenRouter: `tools`, `reasoning`, `structured_outputs`.' }))
}, {
  additionalProperties: false,
  examples: [{ id: 'gemini-1.5-flash', object: 'model', created: 1746057600, owned_by: 'model-gateway', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', type: 'chat', context_length: 1048576, max_model_len: 1048576 }]
})
/** A model as OpenAI clients read it. */
export type OpenAIModel = Static<typeof OpenAIModelSchema>

/** `GET /openai/v1/models`. */
export const OpenAIModelListSchema = Type.Object({
  object: Type.Literal('list'),
  data: Type.Array(OpenAIModelSchema)
}, { additionalProperties: false })
/** The list as `GET /openai/v1/models` sends it. */
export type OpenAIModelList = Static<typeof OpenAIModelListSchema>

/**
 * The models that may be used, by type in the order of {@link MODEL_TYPES}, each
 * type in its own order.
 */
export function activeModels (curated: readonly CuratedModel[]): Model[] {
  return MODEL_TYPES.flatMap(type => curated.filter(model => model.isActive && model.type === type)).map(publicModel)
}

/**
 * What clients are shown of a curated model. They count on the context length of
 * a chat model, so one of which nobody states it gets the default.
 */
export function publicModel ({ isActive, set, ...model }: CuratedModel): Model {
  if (model.type === 'chat') model.contextLength ??= DEFAULT_CONTEXT_LENGTH
  return model
}

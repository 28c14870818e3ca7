import { Type, type Static } from '@sinclair/typebox'
import { ModelSchema } from '../catalog/models.ts'

const { createdAt, provider, contextLength, capabilities, ...required } = ModelSchema.properties
const isActive = Type.Boolean({ description: 'Whether the model may be used.' })
const date = (description: string) => Type.String({ description, examples: ['2025-05-01T00:00:00.000Z'] })
const dates = { createdAt: date('When the record was made (UTC). Set once.'), updatedAt: date('When the record was last changed (UTC).') }

const joined = {
  sources: Type.Optional(Type.Record(Type.String(), Type.String(), {
    description: 'Where each field comes from, where the inference service is the source: `curated` (an admin set it, and it wins), `service`, `static` (the static list), `default`.',
    examples: [{ name: 'service', contextLength: 'curated' }]
  })),
  listed: Type.Optional(Type.Boolean({ description: 'Whether the inference service lists the model. Clients are not shown one that it does not list.' }))
}

/** A model as admins see it: the full record, whether it may be used, and its dates. */
export const ModelRecordSchema = Type.Object({
  ...required,
  provider,
  contextLength,
  capabilities,
  isActive,
  ...dates,
  ...joined
}, {
  additionalProperties: false,
  title: 'ModelRecord',
  examples: [{ id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', type: 'chat', contextLength: 1048576, isActive: true, createdAt: '2025-05-01T00:00:00.000Z', updatedAt: '2025-05-01T00:00:00.000Z' }]
})

const { id, name, type, description } = required
const settable = { name, type, description: Type.Optional(description), provider, contextLength, capabilities, isActive: Type.Optional(isActive) }

/** What makes a new model. */
export const NewModelSchema = Type.Object({ id, ...settable }, {
  additionalProperties: false,
  title: 'NewModel',
  description: '`description` is empty and `isActive` is true where they are left out.',
  examples: [{ id: 'org/model', name: 'Model', description: 'A model', type: 'chat', contextLength: 131072 }]
})
/** The body of a request that makes a model. */
export type NewModel = Static<typeof NewModelSchema>

/** What replaces a model: a record as it was read may come back whole. */
export const ModelReplacementSchema = Type.Object({
  id: Type.Optional(id),
  ...settable,
  createdAt: Type.Optional(dates.createdAt),
  updatedAt: Type.Optional(dates.updatedAt),
  ...joined
}, {
  additionalProperties: false,
  title: 'ModelReplacement',
  description: 'Fields that are left out are emptied; where the inference service is the source, what it says shows again. `id` must be the one in the path; the dates, `sources` and `listed` are the gateway\'s own and are not read.',
  examples: [{ name: 'Model', description: 'A better description', type: 'chat', contextLength: 131072, isActive: true }]
})
/** The body of a request that replaces a model. */
export type ModelReplacement = Static<typeof ModelReplacementSchema>

/** A JSON Merge Patch (RFC 7396): its result is checked as a {@link ModelReplacementSchema}. */
export const ModelPatchSchema = Type.Object({}, {
  additionalProperties: true,
  title: 'ModelPatch',
  description: 'A JSON Merge Patch (RFC 7396): fields that are left out stay, `null` empties a field, also one inside `capabilities`. `isActive` cannot be emptied. Where the inference service is the source, the fields named are set and win over what it says, and one that is emptied shows what it says again.',
  examples: [{ isActive: false }]
})

/** The new order of the models named. */
export const OrderSchema = Type.Array(id, {
  description: 'Ids of models. They change places among themselves; models that are not named stay where they are.',
  examples: [['gemini-1.5-flash', 'gemini-1.5-pro']]
})

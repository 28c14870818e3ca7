import { Type, type Static } from '@sinclair/typebox'
import { ModelSchema } from '../catalog/models.ts'

const { createdAt, provider, contextLength, capabilities, ...required } = ModelSchema.properties
const isActive = Type.Boolean({ description: 'Whether the model may be used.' })
const date = (description: string) => Type.String({ description, examples: ['2025-05-01T00:00:00.000Z'] })
const dates = { createdAt: date('When the record was created (UTC). Never changes.'), updatedAt: date('When the record was last changed (UTC).') }

const joined = {
  sources: Type.Optional(Type.Record(Type.String(), Type.String(), {
    description: 'Where each field comes from, with the inference service as the source: `curated` (set by an admin, which takes precedence), `service`, `static` (the static list), `default`.',
    examples: [{ name: 'service', contextLength: 'curated' }]
  })),
  listed: Type.Optional(Type.Boolean({ description: 'Whether the inference service lists the model. Clients do not see a model that it does not list.' }))
}

/** A model in the admin API: the full record, `isActive`, and its dates. */
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

/** The fields of a new model. */
export const NewModelSchema = Type.Object({ id, ...settable }, {
  additionalProperties: false,
  title: 'NewModel',
  description: '`description` defaults to empty, `isActive` to true.',
  examples: [{ id: 'org/model', name: 'Model', description: 'A model', type: 'chat', contextLength: 131072 }]
})
/** The body of a request that creates a model. */
export type NewModel = Static<typeof NewModelSchema>

/** The replacement of a model. A record can be sent back as it was read. */
export const ModelReplacementSchema = Type.Object({
  id: Type.Optional(id),
  ...settable,
  createdAt: Type.Optional(dates.createdAt),
  updatedAt: Type.Optional(dates.updatedAt),
  ...joined
}, {
  additionalProperties: false,
  title: 'ModelReplacement',
  description: 'Absent fields are emptied; with the inference service as the source, its values then show again. `id` must match the path. The dates, `sources` and `listed` are ignored.',
  examples: [{ name: 'Model', description: 'A better description', type: 'chat', contextLength: 131072, isActive: true }]
})
/** The body of a request that replaces a model. */
export type ModelReplacement = Static<typeof ModelReplacementSchema>

/** A JSON Merge Patch (RFC 7396): its result is checked as a {@link ModelReplacementSchema}. */
export const ModelPatchSchema = Type.Object({}, {
  additionalProperties: true,
  title: 'ModelPatch',
  description: 'A JSON Merge Patch (RFC 7396): absent fields stay, `null` empties a field, also one inside `capabilities`. `isActive` cannot be emptied. With the inference service as the source, the fields in the patch take precedence over its values, and an emptied field shows its value again.',
  examples: [{ isActive: false }]
})

/** The new order of the models named. */
export const OrderSchema = Type.Array(id, {
  description: 'Ids of models in their new order. They exchange their positions; all other models keep theirs.',
  examples: [['gemini-1.5-flash', 'gemini-1.5-pro']]
})

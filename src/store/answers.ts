import { Type, type TSchema } from '@sinclair/typebox'
import { ModelRecordSchema } from './inputs.ts'

const pageSchema = (item: TSchema, title: string) => Type.Object({
  data: Type.Array(item),
  next: Type.Union([Type.String(), Type.Null()], { description: 'The `cursor` of the next page; null on the last one.' })
}, { title })

/** A page of models. */
export const ModelPageSchema = pageSchema(ModelRecordSchema, 'ModelPage')

/** An entry of the audit. */
export const AuditEntrySchema = Type.Object({
  revision: Type.Integer({ description: 'Number of the change that the entry belongs to. An import makes one change with several entries.' }),
  sequence: Type.Integer(),
  at: Type.String({ examples: ['2025-05-01T00:00:00.000Z'] }),
  who: Type.String({ description: 'Name of the key, or `admin-` and the first eight digits of its SHA-256 if it has no name. `start`: the gateway filled an empty table.', examples: ['admin-2bb80d53'] }),
  action: Type.Union(['create', 'update', 'delete', 'order'].map(action => Type.Literal(action))),
  modelId: Type.Union([Type.String(), Type.Null()], { description: 'Null for a change of the order.' }),
  before: Type.Unknown({ description: 'The record before the change; null for a new model. For a change of the order: each moved model with the model before it (null: it was the first).' }),
  after: Type.Unknown({ description: 'The record after the change; null for a deletion. For a change of the order: each moved model with the model before it.' })
}, { title: 'AuditEntry' })

/** A page of the audit. */
export const AuditPageSchema = pageSchema(AuditEntrySchema, 'AuditPage')

/** What an import did. */
export const ImportResultSchema = Type.Object({
  created: Type.Integer(),
  updated: Type.Integer(),
  deleted: Type.Integer(),
  unchanged: Type.Integer()
}, { title: 'ImportResult', examples: [{ created: 1, updated: 0, deleted: 0, unchanged: 7 }] })

const nullable = (schema: TSchema) => Type.Union([schema, Type.Null()])

/** The state of the catalog. */
export const CatalogStatusSchema = Type.Object({
  source: Type.String({ description: 'CATALOG_SOURCE: static, database or inference.', examples: ['inference'] }),
  origin: Type.String({ description: 'Where the list comes from: the source, or its substitute (`snapshot`, `curated`).', examples: ['inference'] }),
  editable: Type.Boolean({ description: 'Whether models can be edited.' }),
  count: Type.Integer({ description: 'Active models.' }),
  age: nullable(Type.Integer({ description: 'Age of the list, seconds.' })),
  lastSuccess: nullable(Type.String()),
  lastError: nullable(Type.Object({ at: Type.String(), message: Type.String() }, { description: 'The present failure of the source; null if the last refresh succeeded.' })),
  lastFailure: nullable(Type.Object({ at: Type.String(), message: Type.String() }, { description: 'The last failure, also if a later refresh succeeded.' })),
  nextTry: nullable(Type.String({ description: 'Time of the next try after a failed refresh.' })),
  skipped: Type.Object({
    count: Type.Integer(),
    reasons: Type.Record(Type.String(), Type.Integer(), { description: 'Number of entries for each reason.' })
  }, { description: 'Entries of the inference service\'s list that are not shown.' })
}, {
  title: 'CatalogStatus',
  examples: [{ source: 'inference', origin: 'inference', editable: true, count: 7, age: 42, lastSuccess: '2025-05-01T00:00:00.000Z', lastError: null, lastFailure: null, nextTry: null, skipped: { count: 2, reasons: { 'a kind of model that the catalog has no place for': 2 } } }]
})

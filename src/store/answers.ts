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
  revision: Type.Integer({ description: 'The change that the entry belongs to; an import makes several.' }),
  sequence: Type.Integer(),
  at: Type.String({ examples: ['2025-05-01T00:00:00.000Z'] }),
  who: Type.String({ description: 'The name of the key, or `admin-` and the beginning of its SHA-256 where it has none. `start` is the first filling of an empty table.', examples: ['admin-2bb80d53'] }),
  action: Type.Union(['create', 'update', 'delete', 'order'].map(action => Type.Literal(action))),
  modelId: Type.Union([Type.String(), Type.Null()], { description: 'Null for a change of the order.' }),
  before: Type.Unknown({ description: 'The record before; null for a creation. For a change of the order: each model that was moved, and the model behind which it stood (null: it was the first).' }),
  after: Type.Unknown({ description: 'The record after; null for a deletion. For a change of the order: the same models, and behind which each stands.' })
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

/** How the catalog fares. */
export const CatalogStatusSchema = Type.Object({
  source: Type.String({ description: 'CATALOG_SOURCE: static, database or inference.', examples: ['inference'] }),
  origin: Type.String({ description: 'Where the list comes from: the source, or what stands in for it (`snapshot`, `curated`).', examples: ['inference'] }),
  editable: Type.Boolean({ description: 'Whether models can be changed here.' }),
  count: Type.Integer({ description: 'Active models.' }),
  age: nullable(Type.Integer({ description: 'Seconds.' })),
  lastSuccess: nullable(Type.String()),
  lastError: nullable(Type.Object({ at: Type.String(), message: Type.String() }, { description: 'What is wrong now; null once a source that failed has answered again.' })),
  lastFailure: nullable(Type.Object({ at: Type.String(), message: Type.String() }, { description: 'What last went wrong, whether or not it is over.' })),
  nextTry: nullable(Type.String({ description: 'When a failed refresh is tried again.' })),
  skipped: Type.Object({
    count: Type.Integer(),
    reasons: Type.Record(Type.String(), Type.Integer(), { description: 'How many of them for which reason.' })
  }, { description: 'Entries of the inference service\'s list that are not shown.' })
}, {
  title: 'CatalogStatus',
  examples: [{ source: 'inference', origin: 'inference', editable: true, count: 7, age: 42, lastSuccess: '2025-05-01T00:00:00.000Z', lastError: null, lastFailure: null, nextTry: null, skipped: { count: 2, reasons: { 'a kind of model that the catalog has no place for': 2 } } }]
})

import type {} from '@fastify/swagger'
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type, type TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { MODEL_TYPES, ModelTypeSchema } from '../src/catalog/models.ts'
import { schemaProblems } from '../src/catalog/problems.ts'
import { CatalogFileSchema } from '../src/catalog/static.ts'
import { ErrorSchema, GatewayError } from '../src/errors.ts'
import { KeySet, namedKey, presentedKey } from '../src/http/keys.ts'
import { AuditPageSchema, CatalogStatusSchema, ImportResultSchema, ModelPageSchema } from '../src/store/answers.ts'
import { exported, fileTag, knownModel, recordTag, refuse, withImported, withNew, withOrder, without, withPatched, withReplaced } from '../src/store/edits.ts'
import { ModelPatchSchema, ModelRecordSchema, ModelReplacementSchema, NewModelSchema, OrderSchema } from '../src/store/inputs.ts'
import { AuditPlaceSchema, cutPage, ModelPlaceSchema, pageOf, readCursor } from '../src/store/paging.ts'
import type { Change, ModelDraft, ModelRecord, PlacedRecord } from '../src/store/records.ts'

/** What `app.ts` supplies. */
export interface AdminOptions {
  /** The keys that open these routes, as ADMIN_API_KEY lists them; without one there are none. */
  keys: readonly string[]
}

const IMPORT_LIMIT = 5 * 1024 * 1024
const PAGE = 50
const LARGEST_PAGE = 200

const IdParams = Type.Object({ '*': Type.String({ description: 'The model\'s id. Its slashes may be written as `/` or `%2F`.', examples: ['gemini-1.5-flash'] }) })
const IfMatch = Type.Object({ 'if-match': Type.Optional(Type.String({ description: 'The `ETag` that was read: the change is made only where it is still that one, else 412.' })) })
const paging = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LARGEST_PAGE, default: PAGE })),
  cursor: Type.Optional(Type.String({ description: 'The `next` of the page before.' }))
}
const ModelsQuery = Type.Object({
  q: Type.Optional(Type.String({ description: 'Text in id, name, description or provider, in any case.' })),
  type: Type.Optional(ModelTypeSchema),
  active: Type.Optional(Type.Boolean()),
  ...paging
})
const AuditQuery = Type.Object(paging)

const errors = (...statuses: number[]) => Object.fromEntries([401, ...statuses].map(status => [status, ErrorSchema]))
const READ = errors(503)
const EDIT = errors(400, 409, 413, 415, 503)
const EDIT_ONE = { ...EDIT, ...errors(404, 412) }

/** What every route here has in common in the OpenAPI document. */
const described = (operationId: string, summary: string, description: string) => ({ operationId, summary, description, tags: ['admin'], security: [{ adminKey: [] }] })
const ofModel = { config: { openapiPath: '/admin/models/{id}' } }

function adminPlugin (instance: FastifyInstance, { keys }: AdminOptions, done: () => void): void {
  if (keys.length === 0) return done()
  instance.register((scope, _options, done) => {
    adminRoutes(scope, keys)
    done()
  }, { prefix: '/admin' })
  done()
}

function adminRoutes (scope: FastifyInstance, entries: readonly string[]): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  const { catalog, modelStore: store } = app
  const keys = new KeySet(entries, 'admin')
  const who = namedKey(entries[0]!, 'admin').name

  app.addHook('onRequest', (request, reply, next) => {
    reply.header('cache-control', 'no-store')
    next(keys.has(presentedKey(request.headers)) ? undefined : new GatewayError('invalid_api_key', { headers: { 'www-authenticate': 'Bearer' } }))
  })
  app.removeContentTypeParser('text/plain')
  app.addContentTypeParser('application/merge-patch+json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'))
  app.setValidatorCompiler(compileValidator)
  app.setSchemaErrorFormatter(([first], part) => new GatewayError('invalid_value', { message: `${part}${first?.instancePath ?? ''} is invalid: ${first?.message ?? ''}.`, param: first?.instancePath.slice(1) ?? null }))

  /** All models; of a source that cannot be edited, what it shows. */
  async function placed (): Promise<PlacedRecord[]> {
    if (store === null) return catalog.curated().map((model, position) => ({ position, record: asRecord(model) }))
    return (await reachable(store.contents())).placed
  }
  const records = async (): Promise<ModelRecord[]> => (await placed()).map(({ record }) => record)

  async function change (edit: (records: ModelRecord[]) => ModelDraft[]): Promise<Change[]> {
    if (store === null) {
      throw new GatewayError('conflict', { message: `The catalog's source (${catalog.source}) cannot be edited. Models are edited with CATALOG_SOURCE=database, and with CATALOG_SOURCE=inference where DATABASE_URL is set.` })
    }
    const changes = await reachable(store.change(who, edit))
    await catalog.edited()
    return changes
  }

  /** The record as this change left it, whatever others do to it meanwhile. */
  async function changeOne (id: string, edit: (records: ModelRecord[]) => ModelDraft[]): Promise<ModelRecord> {
    let before: ModelRecord | undefined
    const changes = await change(records => {
      before = records.find(record => record.id === id)
      return edit(records)
    })
    return (changes.find(({ modelId }) => modelId === id)?.after ?? before) as ModelRecord
  }

  const sendRecord = (reply: FastifyReply, record: ModelRecord) => reply.header('etag', recordTag(record)).send(record)
  const status = () => ({ ...catalog.status(), editable: store !== null })

  app.get('/models', {
    schema: {
      ...described('adminListModels', 'List all models', 'Every model, inactive ones too, in the order of the catalog.'),
      querystring: ModelsQuery,
      response: { 200: ModelPageSchema, ...READ, ...errors(400) }
    }
  }, async ({ query: { q, type, active, limit = PAGE, cursor } }) => {
    const wanted = q?.toLowerCase()
    const found = (await placed()).filter(({ record }) =>
      (type === undefined || record.type === type) &&
      (active === undefined || record.isActive === active) &&
      (wanted === undefined || [record.id, record.name, record.description, record.provider].some(text => text?.toLowerCase().includes(wanted))))
    const { data, next } = pageOf(found, ({ record, position }) => [MODEL_TYPES.indexOf(record.type), position, record.id], limit, readCursor(ModelPlaceSchema, cursor))
    return { data: data.map(({ record }) => record), next }
  })

  app.post('/models', {
    schema: {
      ...described('adminCreateModel', 'Add a model', 'Adds a model at the end of its type. 409 where the id is taken.'),
      body: NewModelSchema,
      response: { 201: ModelRecordSchema, ...EDIT }
    }
  }, async ({ body }, reply) => {
    const record = await changeOne(body.id, records => withNew(records, body))
    return await sendRecord(reply.code(201).header('location', `/admin/models/${encodeURIComponent(body.id)}`), record)
  })

  app.get('/models/*', {
    ...ofModel,
    schema: {
      ...described('adminGetModel', 'Show a model', 'One model, with the `ETag` that guards a change of it.'),
      params: IdParams,
      response: { 200: ModelRecordSchema, ...READ, ...errors(404) }
    }
  }, async ({ params }, reply) => await sendRecord(reply, knownModel(await records(), params['*'])))

  app.put('/models/*', {
    ...ofModel,
    schema: {
      ...described('adminReplaceModel', 'Replace a model', 'Replaces all fields of a model.'),
      params: IdParams,
      headers: IfMatch,
      body: ModelReplacementSchema,
      response: { 200: ModelRecordSchema, ...EDIT_ONE }
    }
  }, async ({ params: { '*': id }, headers, body }, reply) => {
    return await sendRecord(reply, await changeOne(id, records => withReplaced(records, id, body, headers['if-match'])))
  })

  app.patch('/models/*', {
    ...ofModel,
    schema: {
      ...described('adminPatchModel', 'Change fields of a model', '`{"isActive": false}` takes a model out of use at once.'),
      consumes: ['application/merge-patch+json', 'application/json'],
      params: IdParams,
      headers: IfMatch,
      body: ModelPatchSchema,
      response: { 200: ModelRecordSchema, ...EDIT_ONE }
    }
  }, async ({ params: { '*': id }, headers, body }, reply) => {
    return await sendRecord(reply, await changeOne(id, records => withPatched(records, id, body, headers['if-match'])))
  })

  app.delete('/models/*', {
    ...ofModel,
    schema: {
      ...described('adminDeleteModel', 'Remove a model', 'Removes a model. To take it out of use and keep the record, patch `isActive`.'),
      params: IdParams,
      headers: IfMatch,
      response: { 204: Type.Null({ description: 'Removed.' }), ...EDIT_ONE }
    }
  }, async ({ params: { '*': id }, headers }, reply) => {
    await change(records => without(records, id, headers['if-match']))
    return await reply.code(204).send(null)
  })

  app.put('/models/order', {
    schema: {
      ...described('adminOrderModels', 'Change the order', 'The models named change places among themselves, so that the ids of one type reorder that type. The list is always chat, image, speech.'),
      body: OrderSchema,
      response: { 200: OrderSchema, ...EDIT }
    }
  }, async ({ body }) => {
    await change(records => withOrder(records, body))
    return (await records()).map(({ id }) => id)
  })

  app.get('/models/export', {
    schema: {
      ...described('adminExportModels', 'Export the catalog', 'Every model in the format of `CATALOG_FILE`. Importing it again changes nothing.'),
      response: { 200: CatalogFileSchema, ...READ }
    }
  }, async (_request, reply) => {
    const file = exported(await records())
    return await reply.header('etag', fileTag(file)).send(file)
  })

  app.post('/models/import', {
    bodyLimit: IMPORT_LIMIT,
    schema: {
      ...described('adminImportModels', 'Import a catalog', 'Replaces the whole catalog by a file in the format of `CATALOG_FILE`, in one piece or not at all. Models that the file does not have are removed. `If-Match` takes the `ETag` of the export.'),
      headers: IfMatch,
      body: CatalogFileSchema,
      response: { 200: ImportResultSchema, ...EDIT, ...errors(412) }
    }
  }, async ({ headers, body }) => {
    let total = 0
    const changes = await change(records => {
      const drafts = withImported(records, body, headers['if-match'])
      total = drafts.length
      return drafts
    })
    const count = (action: Change['action']) => changes.filter(change => change.action === action).length
    const [created, updated, deleted] = [count('create'), count('update'), count('delete')]
    return { created, updated, deleted, unchanged: total - created - updated }
  })

  app.get('/audit', {
    schema: {
      ...described('adminListAudit', 'List the changes', 'Who changed what and when, newest first.'),
      querystring: AuditQuery,
      response: { 200: AuditPageSchema, ...READ, ...errors(400) }
    }
  }, async ({ query: { limit = PAGE, cursor } }) => {
    if (store === null) return { data: [], next: null }
    const place = readCursor(AuditPlaceSchema, cursor)
    const before = place && { revision: place[0], sequence: place[1] }
    return cutPage(await reachable(store.audit(limit + 1, before)), entry => [entry.revision, entry.sequence], limit)
  })

  app.get('/catalog', {
    schema: {
      ...described('adminGetCatalog', 'Show how the catalog fares', 'Where the list comes from, how old it is, and what last went wrong.'),
      response: { 200: CatalogStatusSchema, ...errors() }
    }
  }, async () => status())

  app.post('/catalog/refresh', {
    schema: {
      ...described('adminRefreshCatalog', 'Refresh the catalog now', 'Reads the source anew and answers when that is done. A failure is told in `lastError`; the list stays.'),
      response: { 200: CatalogStatusSchema, ...errors() }
    }
  }, async () => {
    await catalog.refresh()
    return status()
  })
}

/** A body's problems are all told, in our own words; parameters are converted from text first. */
const compileValidator: typeof TypeBoxValidatorCompiler = route => {
  if (route.httpPart !== 'body') return TypeBoxValidatorCompiler(route)
  return (value: unknown) => {
    try {
      refuse(schemaProblems(route.schema as TSchema, value))
      return { value }
    } catch (error) {
      return { error: error as Error }
    }
  }
}

/** A database that fails is not the client's fault, nor this program's. */
async function reachable<T> (work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof GatewayError) throw error
    throw new GatewayError('not_ready', { message: 'The database does not answer.', cause: error, headers: { 'retry-after': '5' } })
  }
}

function asRecord (model: Omit<ModelRecord, 'createdAt' | 'updatedAt'> & { createdAt?: string }): ModelRecord {
  const { createdAt = new Date(0).toISOString(), ...rest } = model
  return { ...rest, createdAt, updatedAt: createdAt }
}

/** The routes that change the catalog, below `/admin`. */
export default fp(adminPlugin, { name: 'admin', fastify: '5.x', dependencies: ['catalog'] })

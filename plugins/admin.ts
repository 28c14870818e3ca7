import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {} from '@fastify/swagger'
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type, type TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { MODEL_TYPES, ModelTypeSchema } from '../src/catalog/models.ts'
import { schemaProblems } from '../src/catalog/problems.ts'
import { inSlices } from '../src/catalog/slices.ts'
import { CatalogFileSchema } from '../src/catalog/static.ts'
import { ErrorSchema, GatewayError } from '../src/errors.ts'
import { KeySet, namedKey, presentedKey } from '../src/http/keys.ts'
import { AuditPageSchema, CatalogStatusSchema, ImportResultSchema, ModelPageSchema } from '../src/store/answers.ts'
import { Curation, reachable } from '../src/store/curation.ts'
import { recordTag, refuse } from '../src/store/edits.ts'
import { IMPORT_LIMIT } from '../src/store/import.ts'
import { ModelPatchSchema, ModelRecordSchema, ModelReplacementSchema, NewModelSchema, OrderSchema } from '../src/store/inputs.ts'
import { duplicateKey } from '../src/store/json.ts'
import { AuditPlaceSchema, ModelPlaceSchema, pageOf, pageWith, readCursor } from '../src/store/paging.ts'
import type { ModelStore } from '../src/store/store.ts'
import type { AdminModel } from '../src/store/view.ts'

/** What `app.ts` supplies. */
export interface AdminOptions {
  /** The keys that open these routes, as ADMIN_API_KEY lists them; without one there are none. */
  keys: readonly string[]
}

const PAGE = 50
const LARGEST_PAGE = 200

/** Where the actions on the whole catalog were, among the models: a model may have these names as its id. */
const MOVED: Record<string, { method: string, to: string }> = {
  order: { method: 'PUT', to: '/admin/catalog/order' },
  export: { method: 'GET', to: '/admin/catalog/export' },
  import: { method: 'POST', to: '/admin/catalog/import' }
}

const IdParams = Type.Object({ '*': Type.String({ description: 'The model\'s id, percent-encoded (`encodeURIComponent`). Its slashes may also stay as they are.', examples: ['gemini-1.5-flash'] }) })
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
  const curation = new Curation(catalog, store)
  const keys = new KeySet(entries, 'admin')
  /** The name of the key that the request presents. */
  const whoOf = ({ headers }: FastifyRequest): string => keys.find(presentedKey(headers)) ?? namedKey(entries[0] as string, 'admin').name

  app.addHook('onRequest', (request, reply, next) => {
    reply.header('cache-control', 'no-store')
    next(keys.has(presentedKey(request.headers)) ? undefined : new GatewayError('invalid_api_key', { headers: { 'www-authenticate': 'Bearer' } }))
  })
  takeJson(app)
  app.setValidatorCompiler(compileValidator)
  app.setSchemaErrorFormatter(([first], part) => new GatewayError('invalid_value', { message: `${part}${first?.instancePath ?? ''} is invalid: ${first?.message ?? ''}.`, param: first?.instancePath.slice(1) ?? null }))

  const shownModel = ({ record: { set, ...record }, sources, listed }: AdminModel) => ({ ...record, ...(sources !== undefined && { sources, listed }) })
  const sendModel = (reply: FastifyReply, model: AdminModel) => reply.header('etag', recordTag(model.record)).send(shownModel(model))
  const status = () => ({ ...catalog.status(), editable: curation.editable })

  app.get('/models', {
    schema: {
      ...described('adminListModels', 'List all models', 'Every model, inactive ones too, in the order of the catalog. Where the inference service is the source: what it lists, joined with what is curated.'),
      querystring: ModelsQuery,
      response: { 200: ModelPageSchema, ...READ, ...errors(400) }
    }
  }, async ({ query: { q, type, active, limit = PAGE, cursor } }) => {
    const wanted = q?.toLowerCase()
    const models = (await curation.list()).filter(({ record }) =>
      (type === undefined || record.type === type) &&
      (active === undefined || record.isActive === active) &&
      (wanted === undefined || [record.id, record.name, record.description, record.provider].some(text => text?.toLowerCase().includes(wanted))))
    const { data, next } = pageOf(models, ({ record, place }) => [MODEL_TYPES.indexOf(record.type), place, record.id], limit, readCursor(ModelPlaceSchema, cursor))
    return { data: data.map(shownModel), next }
  })

  app.post('/models', {
    schema: {
      ...described('adminCreateModel', 'Add a model', 'Adds a model at the end of its type. 409 where the id is taken.'),
      body: NewModelSchema,
      response: { 201: ModelRecordSchema, ...EDIT }
    }
  }, async (request, reply) => {
    const { body } = request
    const model = await curation.create(whoOf(request), body)
    return await sendModel(reply.code(201).header('location', `/admin/models/${encodeURIComponent(body.id)}`), model)
  })

  app.get('/models/*', {
    ...ofModel,
    onRequest: redirectMoved(curation),
    schema: {
      ...described('adminGetModel', 'Show a model', 'One model, with the `ETag` that guards a change of it.'),
      params: IdParams,
      response: { 200: ModelRecordSchema, ...READ, ...errors(404) }
    }
  }, async ({ params }, reply) => await sendModel(reply, await curation.find(params['*'])))

  app.put('/models/*', {
    ...ofModel,
    onRequest: redirectMoved(curation),
    schema: {
      ...described('adminReplaceModel', 'Replace a model', 'Replaces all fields of a model.'),
      params: IdParams,
      headers: IfMatch,
      body: ModelReplacementSchema,
      response: { 200: ModelRecordSchema, ...EDIT_ONE }
    }
  }, async (request, reply) => {
    const { params: { '*': id }, headers, body } = request
    return await sendModel(reply, await curation.replace({ id, who: whoOf(request), ifMatch: headers['if-match'] }, body))
  })

  app.patch('/models/*', {
    ...ofModel,
    schema: {
      ...described('adminPatchModel', 'Change fields of a model', '`{"isActive": false}` takes a model out of use at once. A model that only the inference service lists gets a record with what is changed.'),
      consumes: ['application/merge-patch+json', 'application/json'],
      params: IdParams,
      headers: IfMatch,
      body: ModelPatchSchema,
      response: { 200: ModelRecordSchema, ...EDIT_ONE }
    }
  }, async (request, reply) => {
    const { params: { '*': id }, headers, body } = request
    return await sendModel(reply, await curation.patch({ id, who: whoOf(request), ifMatch: headers['if-match'] }, body))
  })

  app.delete('/models/*', {
    ...ofModel,
    schema: {
      ...described('adminDeleteModel', 'Remove a model', 'Removes a model. To take it out of use and keep the record, patch `isActive`. Where the inference service lists the model, its own fields show again.'),
      params: IdParams,
      headers: IfMatch,
      response: { 204: Type.Null({ description: 'Removed.' }), ...EDIT_ONE }
    }
  }, async (request, reply) => {
    const { params: { '*': id }, headers } = request
    await curation.remove({ id, who: whoOf(request), ifMatch: headers['if-match'] })
    return await reply.code(204).send(null)
  })

  app.post('/models/import', { schema: { hide: true }, onRequest: async (_request, reply) => await reply.redirect(MOVED['import']?.to as string, 308) }, async () => {})

  app.put('/catalog/order', {
    schema: {
      ...described('adminOrderModels', 'Change the order', 'The models named change places among themselves, so that the ids of one type reorder that type. The list is always chat, image, speech.'),
      body: OrderSchema,
      response: { 200: OrderSchema, ...EDIT }
    }
  }, async request => await curation.reorder(whoOf(request), request.body))

  app.get('/catalog/export', {
    schema: {
      ...described('adminExportModels', 'Export the catalog', 'Every model in the format of `CATALOG_FILE`. Importing it again changes nothing.'),
      response: { 200: CatalogFileSchema, ...READ, ...errors(409) }
    }
  }, async (_request, reply) => {
    const { text, tag } = await curation.export()
    // Serialised already: as text it is sent as it is.
    return await reply.header('etag', tag).type('application/json; charset=utf-8').send(text as never)
  })

  app.post('/catalog/import', {
    bodyLimit: IMPORT_LIMIT,
    validatorCompiler: route => route.httpPart === 'body' ? () => true : TypeBoxValidatorCompiler(route as never),
    schema: {
      ...described('adminImportModels', 'Import a catalog', 'Replaces the whole catalog by a file in the format of `CATALOG_FILE`, in one piece or not at all: up to 10,000 models and 16 MiB. Models that the file does not have are removed. `If-Match` takes the `ETag` of the export.'),
      headers: IfMatch,
      body: CatalogFileSchema,
      response: { 200: ImportResultSchema, ...EDIT, ...errors(412) }
    }
  }, async request => await curation.import(whoOf(request), request.body, request.headers['if-match']))

  app.get('/audit', {
    schema: {
      ...described('adminListAudit', 'List the changes', 'Who changed what and when, newest first. A page has fewer entries than `limit` where they are long.'),
      querystring: AuditQuery,
      response: { 200: AuditPageSchema, ...READ, ...errors(400) }
    }
  }, async ({ query: { limit = PAGE, cursor } }) => {
    if (store === null) return { data: [], next: null }
    const place = readCursor(AuditPlaceSchema, cursor)
    const { entries, more } = await reachable(store.audit(limit, place && { revision: place[0], sequence: place[1] }))
    return pageWith(entries, entry => [entry.revision, entry.sequence], more)
  })

  app.get('/backup', {
    schema: {
      ...described('adminBackup', 'Copy the database', 'The whole SQLite database as one file, which can take the place of the original. Of PostgreSQL: 409, use pg_dump.'),
      produces: [SQLITE_TYPE],
      response: { 200: Type.Unsafe<unknown>({ type: 'string', format: 'binary', description: 'The file.' }), ...READ, ...errors(409) }
    }
  }, async (_request, reply) => await sendBackup(store, reply))

  app.get('/catalog', {
    schema: {
      ...described('adminGetCatalog', 'Show the state of the catalog', 'Where the list comes from, how old it is, and what last went wrong.'),
      response: { 200: CatalogStatusSchema, ...errors() }
    }
  }, async () => status())

  app.post('/catalog/refresh', {
    schema: {
      ...described('adminRefreshCatalog', 'Refresh the catalog now', 'Reads the source anew and answers when that is done. All gateways that share the database do the same. A failure is told in `lastError`; the list stays.'),
      response: { 200: CatalogStatusSchema, ...errors() }
    }
  }, async request => {
    await store?.requestRefresh().catch((error: unknown) => request.log.warn({ err: error }, 'the other gateways on the database were not asked to refresh'))
    await catalog.refresh()
    return status()
  })
}

/** JSON in UTF-8, as `application/json` or as a merge patch: each key once in an object. Requests that need no body may send none. */
function takeJson (app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(['application/json', 'application/merge-patch+json'], { parseAs: 'string' }, (request: FastifyRequest, text: string, done) => {
    const body = text.replace(/^\ufeff/, '')
    if (body === '') return done(null, undefined)
    parse(request, body, async (error, value) => {
      if (error !== null) return done(body.includes('\u0000') ? new GatewayError('invalid_json', { message: 'The request body is not in UTF-8.', cause: error }) : error)
      const key = await inSlices(duplicateKey(body))
      if (key === undefined) return done(null, value)
      done(new GatewayError('invalid_json', { message: `The request body has the key ${JSON.stringify(key.slice(0, 100))} twice in one object.` }))
    })
  })
  app.addContentTypeParser('*', ({ method }: FastifyRequest, _payload, done) => {
    const taken = method === 'PATCH' ? 'application/merge-patch+json or application/json' : 'application/json'
    done(new GatewayError('unsupported_media_type', { message: `This route takes a body of Content-Type ${taken}.` }))
  })
}

/** The old paths of the actions lead to the new ones, unless there is a model of that id. */
function redirectMoved (curation: Curation) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const id = (request.params as { '*': string })['*']
    const moved = Object.hasOwn(MOVED, id) ? MOVED[id] : undefined
    if (moved?.method !== request.method) return
    const isModel = await curation.find(id).then(() => true, error => {
      if (error instanceof GatewayError && error.code === 'model_not_found') return false
      throw error
    })
    if (!isModel) await reply.redirect(moved.to, 308)
  }
}

const SQLITE_TYPE = 'application/vnd.sqlite3'

async function sendBackup (store: ModelStore | null, reply: FastifyReply): Promise<FastifyReply> {
  if (store === null) throw new GatewayError('conflict', { message: 'There is no database: the catalog comes from a file or is built in.' })
  const folder = await mkdtemp(join(tmpdir(), 'model-gateway-backup-'))
  try {
    const file = join(folder, 'catalog.db')
    if (!await reachable(store.backup(file))) throw new GatewayError('conflict', { message: 'The database is PostgreSQL. Use pg_dump.' })
    const content = createReadStream(file)
    await new Promise((resolve, reject) => content.once('open', resolve).once('error', reject))
    return await reply.type(SQLITE_TYPE).header('content-disposition', 'attachment; filename="catalog.db"').send(content)
  } finally {
    // What is open can be read to its end.
    await rm(folder, { recursive: true, force: true })
  }
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

/** The routes that change the catalog, below `/admin`. */
export default fp(adminPlugin, { name: 'admin', fastify: '5.x', dependencies: ['catalog'] })

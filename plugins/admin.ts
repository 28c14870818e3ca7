import { isUtf8 } from 'node:buffer'
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
import { AuditPageSchema, CatalogStatusSchema, ImportResultSchema, ModelPageSchema } from '../src/store/answers.ts'
import { Curation, reachable } from '../src/store/curation.ts'
import { recordTag, refuse } from '../src/store/edits.ts'
import { loggedError, StoreFailure } from '../src/store/failure.ts'
import { IMPORT_LIMIT } from '../src/store/import.ts'
import { ModelPatchSchema, ModelRecordSchema, ModelReplacementSchema, NewModelSchema, OrderSchema } from '../src/store/inputs.ts'
import { jsonProblem } from '../src/store/json.ts'
import { AuditPositionSchema, ModelPositionSchema, pageOf, pageWith, readCursor } from '../src/store/paging.ts'
import type { ModelStore } from '../src/store/store.ts'
import type { AdminModel } from '../src/store/view.ts'

const PAGE = 50
const LARGEST_PAGE = 200

/**
 * Earlier paths of the actions on the whole catalog. A model may have one of these
 * names as its id. Relative, so that a prefix that a reverse proxy takes off is kept.
 */
const MOVED: Record<string, { method: string, to: string }> = {
  order: { method: 'PUT', to: '../catalog/order' },
  export: { method: 'GET', to: '../catalog/export' },
  import: { method: 'POST', to: '../catalog/import' }
}

const IdParams = Type.Object({ '*': Type.String({ description: 'The model\'s id, percent-encoded (`encodeURIComponent`). Slashes may stay unencoded.', examples: ['gemini-1.5-flash'] }) })
const IfMatch = Type.Object({ 'if-match': Type.Optional(Type.String({ description: 'The `ETag` of the record as it was read. If the record has changed since: 412.' })) })
const paging = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LARGEST_PAGE, default: PAGE })),
  cursor: Type.Optional(Type.String({ description: '`next` of the previous page.' }))
}
const ModelsQuery = Type.Object({
  q: Type.Optional(Type.String({ description: 'Text in id, name, description or provider; case-insensitive.' })),
  type: Type.Optional(ModelTypeSchema),
  active: Type.Optional(Type.Boolean()),
  ...paging
})
const AuditQuery = Type.Object(paging)

const errors = (...statuses: number[]) => Object.fromEntries([401, ...statuses].map(status => [status, ErrorSchema]))
const READ = errors(503)
const EDIT = errors(400, 409, 413, 415, 503)
const EDIT_ONE = { ...EDIT, ...errors(404, 412) }

/** The common part of every route in the OpenAPI document. */
const described = (operationId: string, summary: string, description: string) => ({ operationId, summary, description, tags: ['admin'], security: [{ adminKey: [] }] })
const ofModel = { config: { openapiPath: '/admin/models/{id}' } }

function adminPlugin (instance: FastifyInstance, _options: object, done: () => void): void {
  if (instance.credentials.adminKeys.size === 0) return done()
  instance.register((scope, _options, done) => {
    adminRoutes(scope)
    done()
  }, { prefix: '/admin' })
  done()
}

function adminRoutes (scope: FastifyInstance): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  const { catalog, modelStore: store } = app
  const curation = new Curation(catalog, store)
  /** The name of the key that the request presents, for the audit. */
  const whoOf = ({ keyName }: FastifyRequest): string => keyName as string

  app.addHook('onRequest', (request, reply, next) => {
    reply.header('cache-control', 'no-store')
    app.keyGuard(request, app.credentials.adminKeys)
    next()
  })
  takeJson(app)
  app.setValidatorCompiler(compileValidator)
  app.setSchemaErrorFormatter(([first], part) => new GatewayError('invalid_value', { message: `${part}${first?.instancePath ?? ''} is invalid: ${first?.message ?? ''}.`, param: first?.instancePath.slice(1) ?? null }))

  const shownModel = ({ record: { set, ...record }, sources, listed }: AdminModel) => ({ ...record, ...(sources !== undefined && { sources, listed }) })
  const sendModel = (reply: FastifyReply, model: AdminModel) => reply.header('etag', recordTag(model.record)).send(shownModel(model))
  const status = () => ({ ...catalog.status(), editable: curation.editable })

  app.get('/models', {
    schema: {
      ...described('adminListModels', 'List all models', 'Every model, active or not, in catalog order. With the inference service as the source: its list, joined with the curated records.'),
      querystring: ModelsQuery,
      response: { 200: ModelPageSchema, ...READ, ...errors(400) }
    }
  }, async ({ query: { q, type, active, limit = PAGE, cursor } }) => {
    const wanted = q?.toLowerCase()
    const models = (await curation.list()).filter(({ record }) =>
      (type === undefined || record.type === type) &&
      (active === undefined || record.isActive === active) &&
      (wanted === undefined || [record.id, record.name, record.description, record.provider].some(text => text?.toLowerCase().includes(wanted))))
    const { data, next } = pageOf(models, ({ record, position }) => [MODEL_TYPES.indexOf(record.type), ...position, record.id], limit, readCursor(ModelPositionSchema, cursor))
    return { data: data.map(shownModel), next }
  })

  app.post('/models', {
    schema: {
      ...described('adminCreateModel', 'Add a model', 'Adds a model at the end of its type. 409 if the id exists.'),
      body: NewModelSchema,
      response: { 201: ModelRecordSchema, ...EDIT }
    }
  }, async (request, reply) => {
    const { body } = request
    const model = await curation.create(whoOf(request), body)
    return await sendModel(reply.code(201).header('location', `models/${encodeURIComponent(body.id)}`), model)
  })

  app.get('/models/*', {
    ...ofModel,
    onRequest: redirectMoved(curation),
    schema: {
      ...described('adminGetModel', 'Show a model', 'One model, with its `ETag` for `If-Match`.'),
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
      ...described('adminPatchModel', 'Change fields of a model', '`{"isActive": false}` takes a model out of use at once. If only the inference service lists the model, a record with the changed fields is created.'),
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
      ...described('adminDeleteModel', 'Remove a model', 'Removes a model. To take it out of use and keep its record, set `isActive` to false. If the inference service lists the model, the values of the service show again.'),
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
      ...described('adminOrderModels', 'Change the order', 'The given models exchange their positions, so the ids of one type reorder that type. The list always shows chat, then image, then speech models.'),
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
    // Already serialised: a string is sent unchanged.
    return await reply.header('etag', tag).type('application/json; charset=utf-8').send(text as never)
  })

  app.post('/catalog/import', {
    bodyLimit: IMPORT_LIMIT,
    validatorCompiler: route => route.httpPart === 'body' ? () => true : TypeBoxValidatorCompiler(route as never),
    schema: {
      ...described('adminImportModels', 'Import a catalog', 'Replaces the whole catalog by a file in the format of `CATALOG_FILE`, completely or not at all. Up to 10,000 models and 16 MiB. Models that are not in the file are removed. `If-Match` takes the `ETag` of the export.'),
      headers: IfMatch,
      body: CatalogFileSchema,
      response: { 200: ImportResultSchema, ...EDIT, ...errors(412) }
    }
  }, async request => await curation.import(whoOf(request), request.body, request.headers['if-match']))

  app.get('/audit', {
    schema: {
      ...described('adminListAudit', 'List the changes', 'Who changed what and when, newest first. A page has fewer entries than `limit` if they are long.'),
      querystring: AuditQuery,
      response: { 200: AuditPageSchema, ...READ, ...errors(400) }
    }
  }, async ({ query: { limit = PAGE, cursor } }) => {
    if (store === null) return { data: [], next: null }
    const position = readCursor(AuditPositionSchema, cursor)
    const { entries, more } = await reachable(store.audit(limit, position && { revision: position[0], sequence: position[1] }))
    return pageWith(entries, entry => [entry.revision, entry.sequence], more)
  })

  app.get('/backup', {
    schema: {
      ...described('adminBackup', 'Copy the database', 'The whole SQLite database as one file, which can replace the original. With PostgreSQL: 409, use pg_dump.'),
      response: { 200: { description: 'The file.', content: { [SQLITE_TYPE]: { schema: Type.Unsafe<unknown>({ type: 'string', format: 'binary' }) } } }, ...READ, ...errors(409) }
    }
  }, async (_request, reply) => await sendBackup(store, reply))

  app.get('/catalog', {
    schema: {
      ...described('adminGetCatalog', 'Show the state of the catalog', 'Where the list comes from, how old it is, and the last failure.'),
      response: { 200: CatalogStatusSchema, ...errors() }
    }
  }, async () => status())

  app.post('/catalog/refresh', {
    schema: {
      ...described('adminRefreshCatalog', 'Refresh the catalog now', 'Reads the source again and answers when that is done. All gateways that share the database do the same. After a failure the list stays and `lastError` is set.'),
      response: { 200: CatalogStatusSchema, ...errors() }
    }
  }, async request => {
    await store?.requestRefresh().catch((error: unknown) => request.log.warn({ err: loggedError(error) }, 'the other gateways on this database could not be asked to refresh'))
    await catalog.refresh()
    return status()
  })
}

/** Parses JSON in UTF-8, as `application/json` or as a merge patch. A duplicate key in an object is refused. Requests that need no body may send none. */
function takeJson (app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(['application/json', 'application/merge-patch+json'], { parseAs: 'buffer' }, (request: FastifyRequest, bytes: Buffer, done) => {
    // Other bytes would be stored as U+FFFD: another name than the admin's.
    if (!isUtf8(bytes)) return done(notUtf8())
    const body = bytes.toString().replace(/^\ufeff/, '')
    if (body === '') return done(null, undefined)
    inSlices(jsonProblem(body)).then(problem => {
      if (problem !== undefined) return done(new GatewayError('invalid_json', { message: `The request body ${problem}.` }))
      parse(request, body, (error, value) => {
        const isOtherEncoding = error !== null && body.includes('\u0000')
        done(isOtherEncoding ? notUtf8(error) : error, value)
      })
    }, done)
  })
  app.addContentTypeParser('*', ({ method }: FastifyRequest, _payload, done) => {
    const taken = method === 'PATCH' ? 'application/merge-patch+json or application/json' : 'application/json'
    done(new GatewayError('unsupported_media_type', { message: `This route takes a body of Content-Type ${taken}.` }))
  })
}

function notUtf8 (cause?: unknown): GatewayError {
  return new GatewayError('invalid_json', { message: 'The request body is not in UTF-8.', cause })
}

/** Redirects the earlier paths of the actions, unless a model has that id. */
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
  const folder = await mkdtemp(join(tmpdir(), 'model-gateway-backup-')).catch(cannotCopy)
  try {
    const file = join(folder, 'catalog.db')
    if (!await reachable(store.backup(file).catch(ofCopy))) throw new GatewayError('conflict', { message: 'The database is PostgreSQL. Use pg_dump.' })
    const content = createReadStream(file)
    await new Promise((resolve, reject) => content.once('open', resolve).once('error', reject))
    return await reply.type(SQLITE_TYPE).header('content-disposition', 'attachment; filename="catalog.db"').send(content)
  } finally {
    // An open file can be read to its end after it is unlinked.
    await rm(folder, { recursive: true, force: true })
  }
}

function cannotCopy (cause: unknown): never {
  throw new GatewayError('not_ready', { message: 'The copy cannot be written to the folder for temporary files (TMPDIR): it is full, missing or not writable.', cause })
}

/** A backup only reads the database, so that these failures are those of the copy. */
function ofCopy (error: unknown): never {
  if (error instanceof StoreFailure && ['full', 'readonly', 'denied'].includes(error.kind)) cannotCopy(error.cause)
  throw error
}

/** Reports every problem of a body, with the gateway's own messages. Parameters are converted from text first. */
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
export default fp(adminPlugin, { name: 'admin', fastify: '5.x', dependencies: ['catalog', 'keys'] })

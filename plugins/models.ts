import caching from '@fastify/caching'
import type {} from '@fastify/swagger'
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type, type TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Catalog } from '../src/catalog/catalog.ts'
import { matchesWeakly } from '../src/catalog/etag.ts'
import { ChatItemSchema, MediaItemSchema, MODEL_TYPES, ModelListSchema, ModelSchema, ModelTypeSchema, OpenAIModelListSchema, OpenAIModelSchema } from '../src/catalog/models.ts'
import { Renderer, type Rendering, type Renderings } from '../src/catalog/renderings.ts'
import { ErrorSchema, GatewayError } from '../src/errors.ts'
import { Answer, StandingHeaders } from '../src/http/answer.ts'

/** What the catalog plugin supplies. */
export interface ModelsOptions {
  /** Whether answers are for the holder of a key only. */
  keyed: boolean
  /** Milliseconds that a client may take none of what it is owed. */
  clientStall: number
}

const tags = ['models']
const IdParams = Type.Object({ '*': Type.String({ description: 'The model\'s id. Its slashes may be written as `/` or `%2F`.', examples: ['gemini-1.5-flash'] }) })
const ListQuery = Type.Object({ type: Type.Optional(ModelTypeSchema) })
const notModified = Type.Null({ description: 'The copy whose tag stands in `If-None-Match` is current.' })

/** The routes that tell clients which models there are. Needs `catalog`. */
export async function modelsRoutes (scope: FastifyInstance, { keyed, clientStall }: ModelsOptions): Promise<void> {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>().setValidatorCompiler(TypeBoxValidatorCompiler)
  // Only in this scope: at the root the plugin answers 304 to any route whose
  // tag it has seen. It is not told our tags (`reply.etag()`) for the same
  // reason: it would go on answering 304 to the one from before an edit. It
  // marks errors `no-store`; the models' own answers carry their headers ready-made.
  const cacheControl = keyed ? 'private, no-cache' : 'no-cache'
  await app.register(caching, { privacy: cacheControl })

  const standing = () => standingHeaders(app.catalog, { 'cache-control': cacheControl, ...app.securityHeaders })
  let ready = standing()
  /**
   * Past `reply.send`, whose hooks would set these headers one by one for Node to
   * check and join them again: that took 13 of 50 µs.
   */
  function answer (request: FastifyRequest, reply: FastifyReply, { body, tag }: Rendering): void {
    const now = Date.now()
    if (now >= ready.until || now < ready.since) ready = standing()
    app.catalog.touch(now)
    const headers = ['etag', tag]
    const own = reply.getHeaders()
    for (const name in own) headers.push(name, String(own[name]))
    const answer = new Answer(reply.hijack().raw, clientStall)
    if (matchesWeakly(request.headers['if-none-match'], tag)) answer.send(304, 'Not Modified', headers, ready.headers)
    else answer.send(200, 'OK', [...headers, 'content-type', 'application/json; charset=utf-8', 'content-length', String(body.length)], ready.headers, body)
  }

  let renderings: Renderings
  app.addHook('onReady', async () => {
    const serializer = (url: string, schema: TSchema) => app.serializerCompiler?.({ schema, method: 'GET', url, httpStatus: '200' }) as (value: unknown) => string
    const serializers = {
      item: {
        chat: serializer('/v1/models', ChatItemSchema),
        image: serializer('/v1/models', MediaItemSchema),
        speech: serializer('/v1/models', MediaItemSchema)
      },
      detail: serializer('/v1/models/*', ModelSchema),
      openaiDetail: serializer('/openai/v1/models/*', OpenAIModelSchema)
    }
    const renderer = new Renderer(serializers)
    const update = async () => {
      renderings = await renderer.render(app.catalog.list())
      ready = standing()
    }
    app.catalog.onChange(update)
    await update()
  })

  app.get('/v1/models', {
    schema: {
      operationId: 'listModels',
      tags,
      summary: 'List the models',
      description: 'Every active model as a bare array: chat models first, then image, then speech, each in catalog order. `type` asks for one kind. An unchanged list costs a 304 where the `ETag` comes back in `If-None-Match`.',
      querystring: ListQuery,
      response: { 200: ModelListSchema, 304: notModified, 400: ErrorSchema }
    },
    schemaErrorFormatter: () => new GatewayError('invalid_value', { message: `type must be one of: ${MODEL_TYPES.join(', ')}.`, param: 'type' })
  }, (request, reply) => {
    const { type } = request.query
    answer(request, reply, type === undefined ? renderings.all : renderings.byType[type])
  })

  app.get('/openai/v1/models', {
    schema: {
      operationId: 'listModelsOpenAI',
      tags,
      summary: 'List the models as OpenAI does',
      description: 'The same models in the same order, for OpenAI clients, whose base URL is `/openai/v1`.',
      response: { 200: OpenAIModelListSchema, 304: notModified }
    }
  }, (request, reply) => { answer(request, reply, renderings.openai) })

  app.get('/v1/models/*', {
    config: { openapiPath: '/v1/models/{id}' },
    schema: {
      operationId: 'getModel',
      tags,
      summary: 'Show a model',
      description: 'The full record of an active model.',
      params: IdParams,
      response: { 200: ModelSchema, 304: notModified, 404: ErrorSchema }
    }
  }, (request, reply) => { answer(request, reply, renderings.detail(request.params['*']) ?? unknownModel(request.params['*'])) })

  app.get('/openai/v1/models/*', {
    config: { openapiPath: '/openai/v1/models/{id}' },
    schema: {
      operationId: 'getModelOpenAI',
      tags,
      summary: 'Show a model as OpenAI does',
      description: 'An active model in the shape that OpenAI clients read.',
      params: IdParams,
      response: { 200: OpenAIModelSchema, 304: notModified, 404: ErrorSchema }
    }
  }, (request, reply) => { answer(request, reply, renderings.openaiDetail(request.params['*']) ?? unknownModel(request.params['*'])) })
}

function unknownModel (id: string): never {
  throw new GatewayError('model_not_found', { message: `The model '${id}' does not exist.`, param: 'id' })
}

/** The headers of every answer, with `Age` and `Cache-Status` (RFC 9211), which hold for a second. */
function standingHeaders (catalog: Catalog, fixed: Readonly<Record<string, string>>): { headers: StandingHeaders, since: number, until: number } {
  const now = Date.now()
  const { origin, age, ttl } = catalog.freshness(now)
  const status = `model-gateway; hit${ttl === undefined ? '' : `; ttl=${ttl}`}; detail=${origin}`
  return {
    headers: new StandingHeaders({ 'cache-status': status, ...(age !== undefined && { age: String(age) }), ...fixed }),
    since: now,
    until: now + 1000
  }
}

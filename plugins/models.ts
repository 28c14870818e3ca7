import caching from '@fastify/caching'
import type {} from '@fastify/swagger'
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type, type TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Catalog } from '../src/catalog/catalog.ts'
import { matchesWeakly } from '../src/catalog/etag.ts'
import { ChatItemSchema, MediaItemSchema, MODEL_TYPES, ModelListSchema, ModelSchema, ModelTypeSchema, OpenAIModelListSchema, OpenAIModelSchema, type Model } from '../src/catalog/models.ts'
import { Renderer, type Rendering, type Renderings } from '../src/catalog/renderings.ts'
import { ErrorSchema, GatewayError } from '../src/errors.ts'

/** What the catalog plugin supplies. */
export interface ModelsOptions {
  /** Whether answers depend on a key. */
  keyed: boolean
}

const tags = ['models']
const IdParams = Type.Object({ '*': Type.String({ description: 'Id of the model. Slashes may be written as `/` or `%2F`.', examples: ['gemini-1.5-flash'] }) })
const ListQuery = Type.Object({ type: Type.Optional(ModelTypeSchema) })
const notModified = Type.Null({ description: 'The copy with the tag in `If-None-Match` is current.' })

/** The model routes for clients. Needs `catalog`. */
export async function modelsRoutes (scope: FastifyInstance, { keyed }: ModelsOptions): Promise<void> {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>().setValidatorCompiler(TypeBoxValidatorCompiler)
  // Only in this scope: at the root the plugin would answer 304 for any route whose
  // tag it has stored. Its `reply.etag()` is not used, because it would answer 304
  // for a tag from before an edit.
  const cacheControl = keyed ? 'private, no-cache' : 'no-cache'
  await app.register(caching, { privacy: cacheControl })

  function send (request: FastifyRequest, reply: FastifyReply, rendering: Rendering): void {
    app.catalog.touch()
    const { tag } = rendering
    reply.headers({ etag: tag, ...freshnessHeaders(app.catalog) })
    if (matchesWeakly(request.headers['if-none-match'], tag)) {
      // The plugin takes a 304 for an error, and would forbid the copy that the 304 confirms (RFC 9110 section 15.4.5).
      reply.code(304).header('cache-control', cacheControl).send()
    } else reply.type('application/json; charset=utf-8').send(rendering.body)
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
    const prepare = async (models: readonly Model[]) => {
      const made = await renderer.render(models)
      return () => { renderings = made }
    }
    let shown
    // Registered before the first renderings, so that no change is missed.
    do {
      shown = app.catalog.list()
      const show = await prepare(shown)
      show()
    } while (shown !== app.catalog.list())
    app.catalog.beforeChange(prepare)
  })

  app.get('/v1/models', {
    schema: {
      operationId: 'listModels',
      tags,
      summary: 'List the models',
      description: 'Every active model as a bare array: chat models first, then image, then speech, each in catalog order. `type` selects one type. With the `ETag` in `If-None-Match`, an unchanged list is a 304.',
      querystring: ListQuery,
      response: { 200: ModelListSchema, 304: notModified, 400: ErrorSchema }
    },
    schemaErrorFormatter: () => new GatewayError('invalid_value', { message: `type must be one of: ${MODEL_TYPES.join(', ')}.`, param: 'type' })
  }, (request, reply) => {
    const { type } = request.query
    send(request, reply, type === undefined ? renderings.all : renderings.byType[type])
  })

  app.get('/openai/v1/models', {
    schema: {
      operationId: 'listModelsOpenAI',
      tags,
      summary: 'List the models as OpenAI does',
      description: 'The same models in the same order, for OpenAI clients, whose base URL is `/openai/v1`.',
      response: { 200: OpenAIModelListSchema, 304: notModified }
    }
  }, (request, reply) => { send(request, reply, renderings.openai) })

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
  }, (request, reply) => { send(request, reply, modelOf(renderings.detail, request.params['*'])) })

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
  }, (request, reply) => { send(request, reply, modelOf(renderings.openaiDetail, request.params['*'])) })
}

/**
 * The rendering of a model. An id with a leading slash may be unencoded, as
 * `/v1/models//root/x`, which the router reads as one slash.
 * @throws GatewayError model_not_found
 */
function modelOf (detail: Renderings['detail'], id: string): Rendering {
  const found = detail(id) ?? detail(`/${id}`)
  if (found === undefined) throw new GatewayError('model_not_found', { message: `The model '${id}' does not exist.`, param: 'id' })
  return found
}

/** `Age`, and `Cache-Status` (RFC 9211): how old the copy is and where it came from. */
function freshnessHeaders (catalog: Catalog): Record<string, string> {
  const { origin, age, ttl } = catalog.freshness()
  return {
    'cache-status': `model-gateway; hit${ttl === undefined ? '' : `; ttl=${ttl}`}; detail=${origin}`,
    ...(age !== undefined && { age: String(age) })
  }
}

import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import serveStatic from '@fastify/static'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import manifest from '../package.json' with { type: 'json' }
import { ErrorSchema } from '../src/errors.ts'
import { completeDocument } from '../src/openapi/document.ts'
import type { DescribedEndpoint } from '../src/openapi/inference-paths.ts'
import pageHeaders from './page-headers.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The path under which the OpenAPI document shows a wildcard route. */
    openapiPath?: string
  }
}

/** What `app.ts` supplies. */
export interface DocsOptions {
  /** The proxied routes, which have no schema of their own. */
  endpoints: readonly DescribedEndpoint[]
  /** The address at which clients reach the gateway, without a trailing slash. Default: that of the document. */
  publicUrl?: string | undefined
}

/** The folder of the page's compressed files, made by `npm run build`. */
const BUILT = new URL('../openapi/dist/', import.meta.url)
/** Swagger UI's page has none, so that a phone would show it in the width of a desktop. */
const VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'
const YEAR = 365 * 24 * 60 * 60 * 1000

/** No inline code, nothing from other origins. Swagger UI needs `blob:` and `data:` for its icons and for answers. */
const CSP = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:', 'blob:'],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"]
}

async function docsPlugin (app: FastifyInstance, { endpoints, publicUrl = '/' }: DocsOptions): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Model gateway',
        version: manifest.version,
        description: 'A model list, and one address for chat, image and speech requests. OpenAI clients use the base URL `/openai/v1`, which has the same routes as `/v1` but another shape of the model list.',
        license: { name: 'MIT', identifier: 'MIT' }
      },
      servers: [{ url: publicUrl, description: 'This gateway.' }],
      tags: [
        { name: 'models', description: 'The model list.' },
        { name: 'inference', description: 'Requests to models. A request that names no model gets the default one.' },
        { name: 'openai', description: 'The same routes below the base URL of OpenAI clients.' },
        { name: 'admin', description: 'Changes to the catalog.' },
        { name: 'health', description: 'Probes for operators.' },
        { name: 'docs', description: 'The OpenAPI document.' }
      ],
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer', description: 'One of the gateway\'s `API_KEYS`, without its name. If it has none: a key of the inference service.' },
          apiKeyHeader: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'The same key, if there is no `Authorization` header.' },
          adminKey: { type: 'http', scheme: 'bearer', description: 'One of the gateway\'s keys in `ADMIN_API_KEY`, without its name.' }
        }
      },
      // The empty requirement comes first, because a gateway without keys is open.
      security: [{}, { apiKey: [] }, { apiKeyHeader: [] }]
    },
    transform: ({ schema, url, route }) => showRoute(schema, url, route),
    transformObject: document => completeDocument('openapiObject' in document ? document.openapiObject : {}, endpoints, ErrorSchema)
  })
  await app.register(docsPage)
  app.get('/openapi.json', {
    schema: {
      operationId: 'getOpenApi',
      tags: ['docs'],
      summary: 'This document',
      security: [],
      response: { 200: { type: 'object', additionalProperties: true } }
    }
  }, () => app.swagger())
}

async function docsPage (scope: FastifyInstance): Promise<void> {
  await scope.register(pageHeaders, { contentSecurityPolicy: { useDefaults: false, directives: CSP } })
  const names = existsSync(BUILT) ? hashedNames() : []
  scope.addHook('onSend', async (_request, reply, payload) => {
    if (typeof payload !== 'string' || !String(reply.getHeader('content-type')).startsWith('text/html')) return payload
    reply.header('cache-control', 'no-cache')
    return names.reduce((html, [name, hashed]) => html.replace(`/${name}"`, `/${hashed}"`), payload.replace('<head>', `<head>${VIEWPORT}`))
  })
  await scope.register(swaggerUi, {
    routePrefix: '/docs',
    // Relative addresses, so that the page works below a path prefix.
    indexPrefix: '.',
    transformSpecification: document => ({ ...document, servers: [{ url: '..', description: 'This gateway.' }] }),
    transformSpecificationClone: false,
    logLevel: 'warn',
    theme: { title: 'Model gateway' },
    uiConfig: { layout: 'BaseLayout', docExpansion: 'list', defaultModelsExpandDepth: 0, displayRequestDuration: true, plugins: [mendSwaggerUi] }
  })
  if (names.length === 0) return
  await scope.register(serveStatic, {
    root: fileURLToPath(BUILT),
    prefix: '/docs/static/',
    index: false,
    // A route for each file: these take precedence over Swagger UI's wildcard.
    wildcard: false,
    globIgnore: ['**/*.{br,gz}'],
    preCompressed: true,
    decorateReply: false,
    maxAge: YEAR,
    immutable: true
  })
}

/** The page's files: the name in the page, and the built one with a hash of the content. */
function hashedNames (): Array<[name: string, hashed: string]> {
  return readdirSync(BUILT).filter(file => /\.(js|css)$/.test(file)).map(file => [file.replace(/-[0-9a-f]{8}(?=\.\w+$)/, ''), file])
}

type Props = Record<string, any>
type Component = (props: Props) => unknown
interface System { React: { createElement: (component: Component, props: Props) => unknown } }

/**
 * Runs in the page, so it must not use anything outside of it. Without it Swagger
 * UI sends empty optional form fields (an empty `model`), and plays audio by a GET
 * of a POST route.
 */
function mendSwaggerUi () {
  return {
    wrapComponents: {
      ParameterIncludeEmpty: (Original: Component, { React }: System) => (props: Props) =>
        React.createElement(Original, { ...props, isIncludedOptions: { ...props.isIncludedOptions, defaultValue: false } }),
      responseBody: (Original: Component, { React }: System) => (props: Props) =>
        React.createElement(Original, props.contentType?.startsWith('audio/') ? { ...props, contentType: 'application/octet-stream' } : props)
    }
  }
}

/** Shows a wildcard route under its `config.openapiPath`, with that path's parameter name. */
function showRoute (schema: FastifySchema, url: string, { config }: RouteOptions): { schema: FastifySchema, url: string } {
  const path = config?.openapiPath
  const name = path?.match(/\{(\w+)\}$/)?.[1]
  if (path === undefined || name === undefined) return { schema, url }
  const { properties } = schema.params as { properties: Record<string, unknown> }
  return { schema: { ...schema, params: { type: 'object', properties: { [name]: properties['*'] }, required: [name] } }, url: path }
}

/** The OpenAPI document, at `/openapi.json`, and its page, at `/docs`. Must be registered before the routes that it shows. */
export default fp(docsPlugin, { name: 'docs', fastify: '5.x' })

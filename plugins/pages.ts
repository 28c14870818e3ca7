import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import serveStatic from '@fastify/static'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { presentedKey } from '../src/http/keys.ts'
import pageHeaders from './page-headers.ts'

/** What `app.ts` supplies. */
export interface PagesOptions {
  /** The settings. */
  config: Pick<Config, 'PAGES' | 'PUBLIC_URL' | 'API_KEYS' | 'DEFAULT_CHAT_MODEL' | 'DEFAULT_IMAGE_MODEL' | 'DEFAULT_SPEECH_MODEL'>
  /** The folder that `npm run build` writes. */
  directory?: URL
}

const DIRECTORY = new URL('../pages/dist/', import.meta.url)
const PAGES = ['studio', 'admin']
const YEAR = 365 * 24 * 60 * 60 * 1000

/**
 * No inline code, nothing from other origins. `data:` and `blob:` are for images
 * and audio from models or from the user.
 */
const CSP = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:', 'blob:'],
  'media-src': ['blob:'],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
  'require-trusted-types-for': ["'script'"],
  'trusted-types': ["'none'"]
}

const ADDRESSES = {
  models: '/v1/models',
  openai: '/openai/v1',
  docs: '/docs',
  openapi: '/openapi.json',
  health: '/healthz',
  readiness: '/readyz'
}
const PAGE_ADDRESSES = { studio: '/studio', admin: '/admin' }

async function pagesPlugin (app: FastifyInstance, { config, directory = DIRECTORY }: PagesOptions): Promise<void> {
  const built = config.PAGES && existsSync(new URL('studio.html', directory))
  if (config.PAGES && !built) app.log.warn('the pages are not built, so there is no /studio and no /admin page; npm run build makes them')

  // Relative without PUBLIC_URL, so that a path prefix is kept.
  const start = (config.PUBLIC_URL === undefined ? '' : `${config.PUBLIC_URL}/`) + (built ? 'studio' : 'docs')
  const index = indexOf(config, built)
  const defaultModels = { chat: config.DEFAULT_CHAT_MODEL, image: config.DEFAULT_IMAGE_MODEL, speech: config.DEFAULT_SPEECH_MODEL }
  app.get('/', { schema: { hide: true } }, (request, reply) => {
    reply.header('vary', 'Accept').header('cache-control', 'no-cache')
    if (request.headers.accept?.includes('text/html')) return reply.redirect(start)
    if (!mayKnowModels(app, request, config)) return reply.send(index)
    if (config.API_KEYS.length > 0) reply.header('cache-control', 'private, no-cache')
    return reply.send({ ...index, defaultModels })
  })
  if (built) await app.register(servePages, { directory })
}

/** The index for programs at `/`: the gateway's addresses. */
function indexOf (config: PagesOptions['config'], built: boolean) {
  const addresses = Object.entries({ ...ADDRESSES, ...(built && PAGE_ADDRESSES) }).map(([name, path]) => [name, (config.PUBLIC_URL ?? '') + path])
  return Object.fromEntries(addresses)
}

/** `/` is open to all; on a gateway with keys, only a request with one of them is told models. Wrong ones count, as everywhere. */
function mayKnowModels (app: FastifyInstance, request: FastifyRequest, { API_KEYS }: PagesOptions['config']): boolean {
  if (API_KEYS.length === 0) return true
  if (presentedKey(request.headers) === undefined) return false
  try {
    app.keyGuard(request, app.credentials.apiKeys)
    return true
  } catch {
    return false
  }
}

async function servePages (scope: FastifyInstance, { directory }: { directory: URL }): Promise<void> {
  await scope.register(pageHeaders, { contentSecurityPolicy: { useDefaults: false, directives: CSP }, crossOriginEmbedderPolicy: true })
  await scope.register(serveStatic, {
    root: fileURLToPath(new URL('pages/', directory)),
    prefix: '/pages/',
    index: false,
    // A route for each file, so that any other name is an unknown route.
    wildcard: false,
    globIgnore: ['**/*.{br,gz}'],
    preCompressed: true,
    // Each name contains a hash of its content.
    maxAge: YEAR,
    immutable: true
  })
  for (const page of PAGES) {
    scope.get(`/${page}`, { schema: { hide: true } }, async (request, reply) => {
      // The page's addresses are relative to its own without a trailing slash.
      if (request.originalUrl.split('?', 1)[0]!.endsWith('/')) return await reply.redirect(`../${page}`)
      return await reply.header('cache-control', 'no-cache').sendFile(`${page}.html`, fileURLToPath(directory), { cacheControl: false })
    })
  }
}

/** The built files of the studio and the admin page, and the index at `/`. */
export default fp(pagesPlugin, { name: 'pages', fastify: '5.x' })

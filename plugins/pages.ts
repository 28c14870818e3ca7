import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import serveStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** What `app.ts` supplies. */
export interface PagesOptions {
  /** Whether the gateway shows pages. */
  enabled: boolean
  /** Where `npm run build` writes them. */
  directory?: URL
}

const DIRECTORY = new URL('../pages/dist/', import.meta.url)
const PAGES = ['studio', 'admin']
const YEAR = 365 * 24 * 60 * 60 * 1000

/**
 * Nothing inline, nothing from elsewhere. `data:` and `blob:` are pictures and
 * sound that a model made, or that the person has chosen.
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

const INDEX = {
  models: '/v1/models',
  openai: '/openai/v1',
  docs: '/docs',
  openapi: '/openapi.json',
  health: '/healthz',
  readiness: '/readyz'
}

async function pagesPlugin (app: FastifyInstance, { enabled, directory = DIRECTORY }: PagesOptions): Promise<void> {
  const built = enabled && existsSync(new URL('studio.html', directory))
  if (enabled && !built) app.log.warn('the pages are not built: there is no /studio and no /admin page; npm run build makes them')

  const index = { ...INDEX, ...(built && { studio: '/studio', admin: '/admin' }) }
  app.get('/', { schema: { hide: true } }, (request, reply) => {
    reply.header('vary', 'Accept').header('cache-control', 'no-cache')
    // Relative: a path prefix in front of the gateway is kept.
    if (request.headers.accept?.includes('text/html')) return reply.redirect(built ? 'studio' : 'docs')
    return reply.send(index)
  })
  if (built) await app.register(servePages, { directory })
}

async function servePages (scope: FastifyInstance, { directory }: { directory: URL }): Promise<void> {
  await scope.register(helmet, { contentSecurityPolicy: { useDefaults: false, directives: CSP }, crossOriginEmbedderPolicy: true })
  await scope.register(serveStatic, {
    root: fileURLToPath(new URL('pages/', directory)),
    prefix: '/pages/',
    index: false,
    // A route for each file: any other name is answered as every unknown route is.
    wildcard: false,
    globIgnore: ['**/*.{br,gz}'],
    preCompressed: true,
    // Each name has a hash of its content.
    maxAge: YEAR,
    immutable: true
  })
  for (const page of PAGES) {
    for (const path of [`/${page}`, `/${page}/`]) {
      scope.get(path, { schema: { hide: true } }, async (request, reply) => {
        // The page's own addresses are relative to the one without a slash.
        if (request.originalUrl.split('?', 1)[0]!.endsWith('/')) return await reply.redirect(`../${page}`)
        return await reply.header('cache-control', 'no-cache').sendFile(`${page}.html`, fileURLToPath(directory), { cacheControl: false })
      })
    }
  }
}

/** The studio and the admin page, as built files, and `/`, which leads to them. */
export default fp(pagesPlugin, { name: 'pages', fastify: '5.x' })

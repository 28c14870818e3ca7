import { createHash } from 'node:crypto'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Catalog, type CatalogParts } from '../src/catalog/catalog.ts'
import { defaultModelWarnings } from '../src/catalog/defaults.ts'
import { InferenceModels } from '../src/catalog/inference.ts'
import { SnapshotFile } from '../src/catalog/snapshot.ts'
import { staticModels } from '../src/catalog/static.ts'
import { ConfigError, type Config } from '../src/config.ts'
import { trustedAuthorities } from '../src/proxy/certificates.ts'
import type { ModelStore } from '../src/store/store.ts'
import { modelsRoutes } from './models.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The models that may be used. */
    catalog: Catalog
    /** The table behind the catalog; `null` where the catalog cannot be edited. */
    modelStore: ModelStore | null
  }
  interface FastifyContextConfig {
    /** The path under which the OpenAPI document shows a wildcard route. */
    openapiPath?: string
  }
}

/** What `app.ts` supplies. */
export interface CatalogOptions {
  config: Config
}

async function catalogPlugin (app: FastifyInstance, { config }: CatalogOptions): Promise<void> {
  const fallback = staticModels(config.CATALOG_FILE)
  const databaseUrl = databaseOf(config)
  const store = databaseUrl === undefined ? null : await openDatabase(databaseUrl)
  const inference = config.CATALOG_SOURCE === 'inference' ? new InferenceModels(config, { ca: config.UPSTREAM_CA_FILE === undefined ? undefined : trustedAuthorities(config.UPSTREAM_CA_FILE) }) : undefined
  const parts: CatalogParts = {
    source: config.CATALOG_SOURCE,
    fallback,
    maxAge: config.MODEL_CACHE_TIMEOUT * 1000,
    onFailure: (what, error, retryIn) => app.log.warn({ err: error, retryIn: Math.round(retryIn) / 1000 }, `the catalog could not be read (${what}); the last good list stays`)
  }
  if (store !== null) {
    let prepared = false
    parts.curated = {
      origin: originOf(databaseUrl as string),
      load: async () => {
        if (!prepared) await store.prepare(fallback)
        prepared = true
        const { revision, placed } = await store.contents()
        return { revision, models: placed.map(({ record: { updatedAt, ...model } }) => model) }
      }
    }
  }
  if (inference !== undefined) parts.reported = { origin: originOf(config.INFERENCE_SERVICE_URL), load: async signal => await inference.load(signal) }
  if (config.CATALOG_SOURCE !== 'static') {
    parts.snapshots = new SnapshotFile(config.CATALOG_SNAPSHOT_FILE, error => app.log.warn({ err: error }, 'the catalog\'s snapshot cannot be used'))
  }

  const catalog = new Catalog(parts)
  app.decorate('catalog', catalog)
  app.decorate('modelStore', store)
  app.addHook('onClose', async () => {
    await catalog.close()
    await inference?.close()
    await store?.close()
  })
  try {
    await catalog.start()
  } catch (error) {
    throw new ConfigError([`DATABASE_URL names a database that cannot be used: ${(error as Error).message}`])
  }
  if (store !== null) app.addHook('onClose', store.watch(...watchers(catalog, app.log)))

  let warned: string[] = []
  const warn = () => {
    const warnings = defaultModelWarnings(catalog.list(), config)
    for (const warning of warnings) if (!warned.includes(warning)) app.log.warn(warning)
    warned = warnings
  }
  app.addHook('onReady', async () => warn())
  catalog.onChange(warn)
  app.register(modelsRoutes, { keyed: config.API_KEYS.length > 0 })
}

/** Static models cannot be edited; what an inference service reports is curated only where a database is named. */
function databaseOf ({ CATALOG_SOURCE: source, DATABASE_URL: url }: Config): string | undefined {
  return { static: undefined, database: url ?? 'sqlite:data/catalog.db', inference: url }[source]
}

async function openDatabase (url: string): Promise<ModelStore> {
  // Only where there is one: its 280 modules are a tenth of the time to start.
  const { openStore } = await import('../src/store/store.ts')
  try {
    return await openStore(url)
  } catch (error) {
    throw new ConfigError([`DATABASE_URL names a database that cannot be opened: ${(error as Error).message}`])
  }
}

/** Tells one place from another; a digest, since a database's URL holds its password. */
function originOf (url: string): string {
  return createHash('sha256').update(url).digest('base64url')
}

function watchers (catalog: Catalog, log: FastifyBaseLogger): Parameters<ModelStore['watch']> {
  let troubled = false
  return [
    revision => {
      troubled = false
      catalog.edited(revision)
    },
    error => {
      if (!troubled) log.warn({ err: error }, 'edits by other processes cannot be noticed until the database answers again')
      troubled = true
    }
  ]
}

/** The catalog: which models there are, and the routes that tell. */
export default fp(catalogPlugin, { name: 'catalog', fastify: '5.x' })

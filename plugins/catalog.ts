import { createHash } from 'node:crypto'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Catalog, type CatalogParts, type Freshness } from '../src/catalog/catalog.ts'
import { defaultModelWarnings } from '../src/catalog/defaults.ts'
import { onFileChange } from '../src/catalog/file-watch.ts'
import { InferenceModels } from '../src/catalog/inference.ts'
import { hasUnreadable } from '../src/catalog/reported.ts'
import { SnapshotFile, type Origins } from '../src/catalog/snapshot.ts'
import { readStaticModels, staticModels } from '../src/catalog/static.ts'
import { ConfigError, UnavailableError, type Config } from '../src/config.ts'
import { trustedAuthorities } from '../src/proxy/certificates.ts'
import { loggedError, operatorMessage, StoreFailure } from '../src/store/failure.ts'
import { databaseIdentity } from '../src/store/identity.ts'
import { curatedModel } from '../src/store/records.ts'
import type { ModelStore } from '../src/store/store.ts'
import { untilReachable } from '../src/store/wait.ts'
import { modelsRoutes } from './models.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The models that may be used. */
    catalog: Catalog
    /** The table behind the catalog; `null` where the catalog cannot be edited. */
    modelStore: ModelStore | null
  }
  interface FastifyContextConfig {
    /** The path of a wildcard route in the OpenAPI document. */
    openapiPath?: string
  }
}

/** What `app.ts` supplies. */
export interface CatalogOptions {
  config: Config
}

/** Interval of the reminder that the inference service has not answered yet (milliseconds). */
const REMIND_MS = 5 * 60_000

/** The substitute for an inference service that has not answered since the start. */
const STANDING_IN: { [origin in Freshness['origin']]?: string } = {
  curated: 'the curated list is used until it answers',
  snapshot: 'the list of the last run is used until it answers'
}

async function catalogPlugin (app: FastifyInstance, { config }: CatalogOptions): Promise<void> {
  const { CATALOG_FILE: file, CATALOG_SOURCE: source } = config
  const databaseUrl = databaseOf(config)
  const store = databaseUrl === undefined ? null : await openDatabase(databaseUrl, config)
  const inference = source === 'inference' ? new InferenceModels(config, { ca: config.UPSTREAM_CA_FILE === undefined ? undefined : trustedAuthorities(config.UPSTREAM_CA_FILE) }) : undefined
  const tellFailure = (what: string, error: unknown, retryIn: number) => app.log.warn({ err: loggedError(error), retryIn: Math.round(retryIn) / 1000 }, `the catalog could not be read (${what}); ${STANDING_IN[catalog.freshness().origin] ?? 'the last good list stays'}`)
  /** Whether the inference service has sent its list since the start. */
  let answered = false
  let started = false
  /** The database's last failure during the start, which is logged separately while the gateway waits. */
  let untold: { error: unknown, retryIn: number } | undefined
  const parts: CatalogParts = {
    source,
    fallback: staticModels(file),
    maxAge: config.MODEL_CACHE_TIMEOUT * 1000,
    onFailure: (what, error, retryIn = 0) => {
      if (what === 'file') for (const problem of (error as ConfigError).problems) app.log.warn(`${problem}; the last good list stays`)
      else if (what === 'database' && !started) untold = { error, retryIn }
      else tellFailure(what, error, retryIn)
    },
    onSkipped: skipped => {
      const reasons = Object.entries(skipped.reasons).map(([reason, count]) => `${count} × ${reason}`).join(', ')
      app.log[hasUnreadable(skipped) ? 'warn' : 'info'](skipped, skipped.count === 0 ? 'every entry of the inference service\'s list is shown' : `entries of the inference service's list are not shown: ${reasons}`)
    }
  }
  if (file !== undefined) {
    parts.readFallback = async () => {
      const models = await readStaticModels(file)
      app.log.info(source === 'database' ? 'CATALOG_FILE was read again; with CATALOG_SOURCE=database it only fills an empty table, so the list stays' : 'CATALOG_FILE was read again')
      return models
    }
  }
  const origins: Origins = {}
  if (store !== null) {
    let prepared = false
    origins.curated = originOf(databaseIdentity(databaseUrl as string))
    parts.curated = {
      origin: origins.curated,
      load: async () => {
        if (!prepared && await store.prepare(catalog.fixed())) await tellNewDatabase(parts.snapshots, app.log)
        prepared = true
        parts.snapshots?.release()
        const { revision, placed } = await store.contents()
        untold = undefined
        return { revision, models: placed.map(({ record }) => curatedModel(record)) }
      }
    }
  }
  if (inference !== undefined) {
    origins.reported = originOf(config.INFERENCE_SERVICE_URL)
    parts.reported = {
      origin: origins.reported,
      load: async signal => {
        const list = await inference.load(signal)
        answered = true
        return list
      }
    }
  }
  if (source !== 'static') {
    parts.snapshots = new SnapshotFile(config.CATALOG_SNAPSHOT_FILE, error => app.log.warn({ err: error }, 'the catalog\'s snapshot cannot be used'), origins)
  }

  const catalog = new Catalog(parts)
  // From now on, because the file may change while the start waits for the database.
  if (file !== undefined) {
    const unwatch = onFileChange(file, () => { catalog.reloadStatic() })
    app.addHook('onClose', async () => unwatch())
  }
  app.decorate('catalog', catalog)
  app.decorate('modelStore', store)
  app.addHook('onClose', async () => {
    await catalog.close()
    await inference?.close()
    await store?.close()
  })
  await startWithDatabase(catalog, config, app.log)
  started = true
  // A snapshot is used in place of the database.
  if (untold !== undefined) tellFailure('database', untold.error, untold.retryIn)
  if (store !== null) app.addHook('onClose', store.watch(...watchers(catalog, app.log)))
  if (source === 'inference') {
    const reminder = setInterval(() => {
      const standIn = STANDING_IN[catalog.freshness().origin]
      if (standIn !== undefined) app.log.warn(`the inference service has not answered with its list since the start; ${standIn}`)
    }, REMIND_MS).unref()
    app.addHook('onClose', async () => clearInterval(reminder))
  }

  let warned: string[] = []
  const warn = () => {
    const warnings = defaultModelWarnings(catalog.list(), config, answered ? 'which the inference service does not list' : undefined)
    for (const warning of warnings) if (!warned.includes(warning)) app.log.warn(warning)
    warned = warnings
  }
  app.addHook('onReady', async () => warn())
  catalog.onChange(warn)
  app.register(modelsRoutes, { keyed: config.API_KEYS.length > 0 })
}

/** Static models cannot be edited. With an inference service, models are curated only if DATABASE_URL is set. */
function databaseOf ({ CATALOG_SOURCE: source, DATABASE_URL: url }: Config): string | undefined {
  return { static: undefined, database: url ?? 'sqlite:data/catalog.db', inference: url }[source]
}

async function openDatabase (url: string, { AUDIT_KEEP: auditDays }: Config): Promise<ModelStore> {
  // Loaded only if it is used, because it takes a part of the time to start.
  const { openStore } = await import('../src/store/store.ts')
  try {
    return await openStore(url, { auditDays })
  } catch (error) {
    throw new ConfigError([`DATABASE_URL names a database that cannot be used: ${(error as Error).message}`])
  }
}

/**
 * Waits for a database that does not answer or is locked, if there is no snapshot of
 * it. @throws UnavailableError if it still does not answer; ConfigError for an error that
 * waiting cannot mend
 */
async function startWithDatabase (catalog: Catalog, { DATABASE_WAIT: wait }: Config, log: FastifyBaseLogger): Promise<void> {
  try {
    await untilReachable(async () => await catalog.start(), wait * 1000, (failure, left) => {
      log.warn({ err: failure.cause }, `${failure.message} Trying again for ${Math.ceil(left / 1000)} s at most.`)
    })
  } catch (error) {
    const message = operatorMessage(error as Error)
    if (error instanceof StoreFailure && error.passing) throw new UnavailableError(`DATABASE_URL names a database that cannot be used at present: ${message}`, { cause: error.cause })
    throw new ConfigError([`DATABASE_URL names a database that cannot be used: ${message}`])
  }
}

/** A deleted database must not be replaced by a new one without notice: its last list may be the only copy. */
async function tellNewDatabase (snapshots: SnapshotFile | undefined, log: FastifyBaseLogger): Promise<void> {
  const what = 'DATABASE_URL names a new, empty database, which was filled with the static list; the last run had another one at this address'
  try {
    const file = await snapshots?.setAside()
    if (file !== undefined) log.warn(`${what}. Its list is kept in ${file}`)
  } catch (error) {
    log.warn({ err: error }, `${what}, and its list could not be kept`)
  }
}

/** Identifies a source by its address. A digest, because other users may read the snapshot file. */
function originOf (address: string): string {
  return createHash('sha256').update(address).digest('base64url')
}

function watchers (catalog: Catalog, log: FastifyBaseLogger): Parameters<ModelStore['watch']> {
  let troubled = false
  return [
    revision => {
      troubled = false
      catalog.edited(revision)
    },
    error => {
      if (!troubled) log.warn({ err: loggedError(error) }, 'edits by other processes are not noticed until the database answers again')
      troubled = true
    },
    () => { catalog.refresh() }
  ]
}

/** The catalog and its routes. */
export default fp(catalogPlugin, { name: 'catalog', fastify: '5.x' })

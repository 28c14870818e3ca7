import type { FastifyInstance } from 'fastify'
import manifest from '../package.json' with { type: 'json' }
import type { Config } from './config.ts'

// Without a listener SIGHUP ends the process. The modules take most of the time to
// start, and static imports would be loaded before the listener is there.
if (import.meta.main) process.on('SIGHUP', () => {})
const { buildApp } = await import('./app.ts')
const { ConfigError, EX_CONFIG, loadConfig, UnavailableError } = await import('./config.ts')
const { readSecretFiles } = await import('./config/secrets.ts')
const { settingWarnings } = await import('./config/warnings.ts')

/** How often an ending process looks whether its last answer has gone out, milliseconds. */
const DRAIN_POLL = 20
/**
 * Connections that may wait to be accepted, as far as the system allows. With
 * Node's 511, the rest of a burst is dropped, and its clients try again a second
 * later.
 */
const BACKLOG = 4096
/**
 * Milliseconds without a request after which an ending process closes its port
 * and its idle connections. Until then it refuses requests, so that balancers
 * learn of its end: an idle connection that is closed may meet a request on its way.
 */
const QUIET = 500
/** Milliseconds without a running request after which it does so although requests still come: no balancer takes notice. */
const LONGEST_NOTICE = 5000

/**
 * Starts the gateway and stops it on SIGTERM or SIGINT: running requests may
 * finish within `SHUTDOWN_GRACE`, then all is cut. SIGHUP reads the keys again, and
 * what else plugins have registered with `app.reload`. Exits 0 after a stop, 1
 * where the port cannot be had, 75 where the database does not answer, 78 for a
 * bad configuration.
 * @returns the address that it listens on
 *
 * close-with-grace is not used: a second signal, which npm sends when a terminal
 * has sent one already, would end the process at once.
 */
export async function serve (environment: NodeJS.ProcessEnv): Promise<string> {
  const load = () => loadConfig(readSecretFiles(environment))
  const config = await refuseBadConfig(load)
  const app = await refuseBadConfig(() => buildApp(config))
  app.log.info({ version: manifest.version, catalog: config.CATALOG_SOURCE, upstream: new URL(config.INFERENCE_SERVICE_URL).origin }, 'model gateway')
  for (const warning of settingWarnings(environment, config)) app.log.warn(warning)
  app.reload.register('keys', () => app.credentials.renew(load()))
  app.reload.register('catalog', () => app.catalog.reloadStatic())
  const { modelStore: store } = app
  if (store !== null && config.DATABASE_URL !== undefined) app.reload.register('database', () => store.useUrl(load().DATABASE_URL as string))
  process.on('SIGHUP', () => app.reload.run())
  let stopping: Promise<void> | undefined
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => { stopping ??= stop(app, config) })
  }
  try {
    return await app.listen({ host: config.HOST, port: config.PORT, backlog: BACKLOG, ...(config.REUSE_PORT && { reusePort: true }) })
  } catch (error) {
    return exit(1, [`Cannot listen on ${config.HOST}:${config.PORT}: ${listenProblem(error as NodeJS.ErrnoException)}`])
  }
}

async function stop (app: FastifyInstance, { SHUTDOWN_GRACE, REUSE_PORT }: Config): Promise<void> {
  const startedAt = Date.now()
  const deadline = startedAt + SHUTDOWN_GRACE * 1000
  app.drain.draining = true
  // The kernel gives a shared port's new connections to any process that listens on it.
  if (!REUSE_PORT) {
    await until(() => app.drain.active === 0, deadline)
    await untilQuiet(app, Math.min(deadline, Date.now() + LONGEST_NOTICE))
  }
  let isClosed = false
  app.server.close(() => { isClosed = true })
  // A connection that was accepted just before has its first request on the way.
  await until(() => isClosed, Math.min(deadline, Date.now() + QUIET))
  await until(() => app.drain.active === 0, deadline)
  app.forwarder.destroy()
  const closed = app.close()
  // close() alone waits for ever for an endless stream, a silent connection or half a body.
  app.server.closeAllConnections()
  await closed
  process.exit(0)
}

/** Counts turns of the event loop and not the time, because a process that was held up has not yet read what came meanwhile. */
async function untilQuiet ({ drain }: FastifyInstance, deadline: number): Promise<void> {
  let quiet = 0
  let refused = drain.refused
  await until(() => {
    quiet = drain.active === 0 && drain.refused === refused ? quiet + DRAIN_POLL : 0
    refused = drain.refused
    return quiet >= QUIET
  }, deadline)
}

async function until (condition: () => boolean, deadline: number): Promise<void> {
  while (!condition() && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, DRAIN_POLL))
}

async function refuseBadConfig<T> (make: () => T | Promise<T>): Promise<T> {
  try {
    return await make()
  } catch (error) {
    if (error instanceof UnavailableError) return exit(error.exitCode, [error.message])
    if (!(error instanceof ConfigError)) throw error
    return exit(EX_CONFIG, ['The configuration is not usable:', ...error.problems.map(problem => `  ${problem}`)])
  }
}

function listenProblem (error: NodeJS.ErrnoException): string {
  return error.code === 'EADDRINUSE' ? 'the port is in use (set PORT to another)' : error.message
}

function exit (code: number, lines: string[]): never {
  console.error(lines.join('\n'))
  process.exit(code)
}

if (import.meta.main) await serve(process.env)

import cluster from 'node:cluster'
import { Server as NetServer } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { ConfigError, EX_CONFIG, loadConfig, type Config } from './config.ts'
import { readSecretFiles } from './config/secrets.ts'
import { settingWarnings } from './config/warnings.ts'
import { LEAVING, REFUSE, superviseWorkers, workerCount } from './workers.ts'

/** How often a draining process looks whether its last answer has gone out, milliseconds. */
const DRAIN_POLL = 20
/**
 * Connections that may wait to be taken, as far as the system allows that many.
 * With Node's 511, the rest of a burst is turned away unseen, and its clients
 * try again a second later.
 */
const PENDING_CONNECTIONS = 4096
/** How long an ending gateway's connections must have been unused before they are cut, milliseconds. */
const QUIET = 500

/**
 * Starts the gateway in this process and stops it on SIGTERM or SIGINT: running
 * requests may finish within `SHUTDOWN_GRACE`, then all is cut. SIGHUP reads the
 * keys anew, and what else plugins have registered with `app.reload`. Exits 0 after a
 * stop, 1 where the port cannot be had, 78 for a bad configuration.
 * @returns the address it listens on
 */
export async function serve (environment: NodeJS.ProcessEnv): Promise<string> {
  const load = () => loadConfig(readSecretFiles(environment))
  const config = await refuseBadConfig(load)
  const app = await refuseBadConfig(() => buildApp(config))
  for (const warning of settingWarnings(environment, config)) app.log.warn(warning)
  app.reload.register('keys', () => app.credentials.renew(load()))
  process.on('SIGHUP', () => app.reload.run())
  let stopping = false

  async function stop (state: 'leaving' | 'refusing'): Promise<void> {
    app.drain.state = state
    if (stopping) return
    stopping = true
    const deadline = Date.now() + config.SHUTDOWN_GRACE * 1000
    if (state === 'leaving') stopListening(app)
    await until(() => app.drain.active === 0, deadline)
    if (state === 'refusing') stopListening(app)
    await until(() => connectionsAreDone(app), deadline)
    app.forwarder.destroy()
    const closed = app.close()
    // close() alone waits for ever on an endless stream, a silent connection or half a body.
    app.server.closeAllConnections()
    await closed
    // The log lines of what was cut just now.
    await setImmediate()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => stop(cluster.isWorker ? 'leaving' : 'refusing'))
  process.on('message', message => { if (message === REFUSE) stop('refusing') })

  try {
    return await app.listen({ host: config.HOST, port: config.PORT, backlog: PENDING_CONNECTIONS })
  } catch (error) {
    return exit(1, [`Cannot listen on ${config.HOST}:${config.PORT}: ${listenProblem(error as NodeJS.ErrnoException)}`])
  }
}

/** Takes no more connections; those that are open are closed with their next answer. */
function stopListening (app: FastifyInstance): void {
  // http.Server's own close would cut idle connections, into which a client may just be writing.
  NetServer.prototype.close.call(app.server)
  if (cluster.isWorker) process.send!(LEAVING)
}

/**
 * Whether open connections can be cut: they are gone, or so long unused that no
 * balancer is writing into one just now. Those in use get an answer that closes
 * them; a worker whose siblings stay waits for all of them to be used.
 */
async function connectionsAreDone (app: FastifyInstance): Promise<boolean> {
  const { active, lastRequestAt, state } = app.drain
  if (active > 0) return false
  if (state === 'refusing' && performance.now() - lastRequestAt > QUIET) return true
  return await new Promise(resolve => app.server.getConnections((_error, count) => resolve(count === 0)))
}

async function until (condition: () => boolean | Promise<boolean>, deadline: number): Promise<void> {
  while (!await condition() && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, DRAIN_POLL))
}

async function refuseBadConfig<T> (make: () => T | Promise<T>): Promise<T> {
  try {
    return await make()
  } catch (error) {
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

async function main (environment: NodeJS.ProcessEnv): Promise<void> {
  // From the first moment on: without a listener it ends the process.
  process.on('SIGHUP', () => {})
  const config: Config = await refuseBadConfig(() => loadConfig(readSecretFiles(environment)))
  const workers = workerCount(config.WORKERS)
  if (workers === 1 || cluster.isWorker) await serve(environment)
  else process.exit(await superviseWorkers(workers, config))
}

if (import.meta.main) await main(process.env)

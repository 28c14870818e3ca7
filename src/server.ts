import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { ConfigError, EX_CONFIG, loadConfig, type Config } from './config.ts'

/** How often a draining process looks whether its last request has ended, milliseconds. */
const DRAIN_POLL = 20

/**
 * Starts the gateway and stops it on SIGTERM or SIGINT: running requests may
 * finish within `SHUTDOWN_GRACE`, then all is cut. Exits 0 after a stop, 1 where
 * the port cannot be had, 78 for a bad configuration.
 * @returns the address it listens on
 */
export async function serve (environment: NodeJS.ProcessEnv, onStop: () => Promise<void> = async () => {}): Promise<string> {
  const { config, app } = await build(environment)
  let stopping = false

  async function stop (): Promise<void> {
    if (stopping) return
    stopping = true
    app.drain.draining = true
    const deadline = Date.now() + config.SHUTDOWN_GRACE * 1000
    while (app.forwarder.underWay > 0 && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, DRAIN_POLL))
    app.forwarder.destroy()
    const closed = app.close()
    // close() alone waits for ever on an endless stream, a silent connection or half a body.
    app.server.closeAllConnections()
    await closed
    await onStop()
    process.exit(0)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)

  try {
    return await app.listen({ host: config.HOST, port: config.PORT })
  } catch (error) {
    return exit(1, [`Cannot listen on ${config.HOST}:${config.PORT}: ${listenProblem(error as NodeJS.ErrnoException)}`])
  }
}

async function build (environment: NodeJS.ProcessEnv): Promise<{ config: Config, app: FastifyInstance }> {
  try {
    const config = loadConfig(environment)
    return { config, app: await buildApp(config) }
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

if (import.meta.main) await serve(process.env)

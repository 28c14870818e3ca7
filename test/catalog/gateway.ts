// A gateway's catalog as a process of its own, so that a test that presses it
// does not measure itself. Tells its address, and on request how long its event
// loop stood still.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import Fastify from 'fastify'
import admin from '../../plugins/admin.ts'
import catalog from '../../plugins/catalog.ts'
import { loadConfig } from '../../src/config.ts'

const config = loadConfig(process.env)
const app = Fastify({ pluginTimeout: 0 })
await app.register(catalog, { config })
await app.register(admin, { keys: config.ADMIN_API_KEY })
const url = await app.listen({ port: 0, host: '127.0.0.1' })
const loop = monitorEventLoopDelay({ resolution: 5 })
loop.enable()
process.on('message', () => process.send?.({ stall: loop.max / 1e6 }))
process.once('disconnect', () => process.exit())
process.send?.({ url })

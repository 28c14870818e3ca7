import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Reload } from '../src/reload.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The tasks that run on SIGHUP. */
    reload: Reload
  }
}

/** Adds `app.reload`, where plugins register what is read again on SIGHUP. */
export default fp(function reload (fastify: FastifyInstance, _options, done) {
  fastify.decorate('reload', new Reload((name, error) => {
    if (error === undefined) fastify.log.info(`read again: ${name}`)
    else fastify.log.error({ err: error }, `could not be read again, the previous state stays: ${name}`)
  }))
  done()
}, { name: 'reload' })

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Reload } from '../src/reload.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What is read anew on SIGHUP. Plugins register their part of it. */
    reload: Reload
  }
}

/** `app.reload`: the place where plugins say what they read anew on SIGHUP. */
export default fp(function reload (fastify: FastifyInstance, _options, done) {
  fastify.decorate('reload', new Reload((name, error) => {
    if (error === undefined) fastify.log.info(`read anew: ${name}`)
    else fastify.log.error({ err: error }, `could not be read anew, what was there stays: ${name}`)
  }))
  done()
}, { name: 'reload' })

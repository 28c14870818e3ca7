import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'

const buildCompiler = SerializerSelector()

/**
 * An option of the Fastify instance: each response schema of a scope is compiled
 * once. Fastify compiles it for each route and status, and the error schema alone
 * stands in a hundred places: a tenth of the time of a start with a database.
 */
export function serializerOptions () {
  return { schemaController: { compilersFactory: { buildSerializer } } }
}

function buildSerializer (...options: Parameters<typeof buildCompiler>): ReturnType<typeof buildCompiler> {
  const compile = buildCompiler(...options)
  const compiled = new Map<unknown, ReturnType<typeof compile>>()
  return route => {
    const serialize = compiled.get(route.schema) ?? compile(route)
    compiled.set(route.schema, serialize)
    return serialize
  }
}

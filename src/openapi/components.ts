import { isDeepStrictEqual } from 'node:util'

type Json = Record<string, unknown>

/** Schemas by name. */
export type Components = Record<string, Json>

/** The values of these keys are data, not schemas. */
const DATA = new Set(['example', 'examples', 'default', 'enum', 'const'])
/** Keys that may differ between uses of a schema: @fastify/swagger moves them to the place of use. */
const ANNOTATIONS = new Set(['description', 'example', 'examples'])

/**
 * Moves each schema that has a title to the components, under its title, and
 * leaves a reference, so that generators name their types after it. Nested ones
 * too.
 * @returns the part with its references; `components` is filled in
 * @throws Error where two different schemas have the same title
 */
export function nameSchemas (part: unknown, components: Components): unknown {
  if (Array.isArray(part)) return part.map(item => nameSchemas(item, components))
  if (typeof part !== 'object' || part === null) return part
  const named: Json = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, DATA.has(key) ? value : nameSchemas(value, components)]))
  const { title, ...schema } = named
  if (typeof title !== 'string') return named
  const known = components[title]
  if (known !== undefined && !isDeepStrictEqual(structure(known), structure(schema))) throw new Error(`two different schemas have the title ${title}`)
  components[title] = { ...known, ...schema }
  return { $ref: `#/components/schemas/${title}` }
}

function structure (schema: Json): Json {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !ANNOTATIONS.has(key)))
}

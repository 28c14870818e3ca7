import type { Test } from 'tap'
import { ConfigSchema } from '../../src/config.ts'

/** Settings that may come from a file named by `NAME_FILE`. */
const FROM_FILE = ['API_KEYS', 'ADMIN_API_KEY', 'INFERENCE_API_KEY', 'DATABASE_URL']
/** What Node itself reads. */
const OF_NODE = ['NODE_ENV']

/** Fails unless each name is a setting of the gateway: a misspelt one would have no effect. */
export function areSettings (t: Test, names: Iterable<string>): void {
  const known = [...Object.keys(ConfigSchema.properties), ...FROM_FILE.map(name => `${name}_FILE`), ...OF_NODE]
  for (const name of names) t.ok(known.includes(name), `${name} is a setting`)
}

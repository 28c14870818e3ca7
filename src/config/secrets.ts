import { readFileSync } from 'node:fs'
import { ConfigError, type Environment } from '../config.ts'

/** The settings that may come from a file, such as a Docker or Kubernetes secret: `NAME_FILE` is its path. */
export const SECRETS = ['API_KEYS', 'ADMIN_API_KEY', 'INFERENCE_API_KEY', 'DATABASE_URL', 'REDIS_URL'] as const

/** Lists: one item a line, or several separated by commas. */
const LISTS: ReadonlySet<string> = new Set(['API_KEYS', 'ADMIN_API_KEY'])

/**
 * The environment, with each file that `NAME_FILE` names read into `NAME`. Reads
 * the files at each call. @throws ConfigError naming every unusable file, never its
 * content
 */
export function readSecretFiles (environment: Environment): Environment {
  const read: Environment = {}
  const problems: string[] = []
  for (const name of SECRETS) {
    const path = environment[`${name}_FILE`]?.trim() ?? ''
    if (path === '') continue
    if ((environment[name]?.trim() ?? '') !== '') {
      problems.push(`${name} and ${name}_FILE must not both be set`)
      continue
    }
    try {
      const text = readFileSync(path, 'utf8').trim()
      // An empty file does not count as unset, because it must not open the gateway to all.
      if (text === '') problems.push(`${name}_FILE must name a file that is not empty`)
      read[name] = LISTS.has(name) ? text.split(/\r?\n/).join(',') : text
    } catch (error) {
      problems.push(`${name}_FILE must name a file that can be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return { ...environment, ...read }
}

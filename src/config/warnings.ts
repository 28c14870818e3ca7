import { ConfigSchema, type Config, type Environment } from '../config.ts'
import { namedKey } from '../http/keys.ts'
import { SECRETS } from './secrets.ts'
import { likelyName } from './likely-name.ts'

/** A key with fewer characters can be guessed. */
const SHORT_KEY = 16

type Without = (config: Config) => string | false

const onStaticSource: Without = ({ CATALOG_SOURCE: source }) => source === 'static' && 'CATALOG_SOURCE=static'
const withoutDatabase: Without = ({ CATALOG_SOURCE: source, DATABASE_URL: url }) =>
  source === 'static' ? 'CATALOG_SOURCE=static' : source === 'inference' && url === undefined && 'CATALOG_SOURCE=inference without DATABASE_URL'

/** For each setting, the other settings with which it has no effect, in words. */
const NO_EFFECT: Record<string, Without> = {
  DATABASE_URL: onStaticSource,
  DATABASE_WAIT: withoutDatabase,
  AUDIT_KEEP: withoutDatabase,
  MODEL_CACHE_TIMEOUT: onStaticSource,
  CATALOG_SNAPSHOT_FILE: onStaticSource,
  REDIS_URL: ({ RATE_LIMIT: limit }) => limit === 0 && 'RATE_LIMIT=0',
  ALLOWED_HOSTS: ({ API_KEYS: keys }) => keys.length > 0 && 'API_KEYS',
  QUEUE_TIMEOUT: ({ MAX_QUEUED_REQUESTS: queued }) => queued === 0 && 'MAX_QUEUED_REQUESTS=0'
}

/**
 * Warnings for the log at the start, one sentence each: settings without effect,
 * unknown names that look like settings, keys that can be guessed, trust in every
 * proxy. Never contains a value.
 * @param environment with `NAME_FILE` variables
 * @param config the settings read from it
 */
export function settingWarnings (environment: Environment, config: Config): string[] {
  const isSet = (name: string) => (environment[name]?.trim() ?? '') !== ''
  return [
    ...withoutEffect(name => isSet(name) || isSet(`${name}_FILE`), config),
    ...unknownNames(Object.keys(environment).filter(isSet)),
    ...shortKeys('API_KEYS', config.API_KEYS),
    ...shortKeys('ADMIN_API_KEY', config.ADMIN_API_KEY),
    ...(config.TRUST_PROXY === true ? ['TRUST_PROXY=true believes the X-Forwarded-For of everyone, so a client can choose its address and escape limits. Name the addresses of the proxies, or how many there are.'] : [])
  ]
}

function withoutEffect (isSet: (name: string) => boolean, config: Config): string[] {
  return Object.entries(NO_EFFECT).flatMap(([name, without]) => {
    const reason = isSet(name) && without(config)
    return reason === false ? [] : [`${name} has no effect with ${reason}.`]
  })
}

function unknownNames (names: readonly string[]): string[] {
  const known = [...Object.keys(ConfigSchema.properties), ...SECRETS.map(name => `${name}_FILE`)]
  return names.flatMap(name => {
    const likely = likelyName(name, known)
    return likely === undefined ? [] : [`${name} is not a setting and has no effect. Is ${likely} meant?`]
  })
}

function shortKeys (setting: string, entries: readonly string[]): string[] {
  const short = entries.filter(entry => namedKey(entry).key.length < SHORT_KEY).length
  return short === 0 ? [] : [`${setting} has ${short === 1 ? 'a key' : `${short} keys`} of fewer than ${SHORT_KEY} characters, which can be guessed. A good one: openssl rand -hex 32`]
}

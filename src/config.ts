import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { namedKey } from './http/keys.ts'
import { compileTrust } from './http/trust.ts'
import { forwardProxyProblems } from './proxy/forward-proxy.ts'

/** Exit code of a process that refuses its configuration (sysexits.h EX_CONFIG). */
export const EX_CONFIG = 78
/** Exit code of a process that cannot start at present (sysexits.h EX_TEMPFAIL). */
export const EX_TEMPFAIL = 75

const flag = (value: boolean) => Type.Boolean({ default: value, must: 'be true or false' })
const list = (pattern: string, must: string) => Type.Array(Type.String({ pattern }), { default: [], must })
const text = (must: string, options = {}) => Type.String({ minLength: 1, must, ...options })
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema)
const seconds = (value: number, options = {}) => Type.Number({ minimum: 0, maximum: 2_000_000, default: value, must: 'be a number of seconds, 0 to 2000000', ...options })
const positiveSeconds = (value: number) => seconds(value, { exclusiveMinimum: 0, must: 'be a number of seconds above 0, at most 2000000' })
const count = (minimum: number, value: number, unit = '') => Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, default: value, must: `be a whole number${unit}, ${minimum} or more` })
const port = (options = {}) => Type.Integer({ minimum: 0, maximum: 65535, must: 'be a port, 0 to 65535', ...options })
const oneOf = <const T extends string>(values: T[], value: T) => Type.Union(values.map(v => Type.Literal(v)), { default: value, must: `be one of: ${values.join(', ')}` })

// A line break would end the part that carries the id in a multipart body.
const MODEL_ID = '^[^\\u0000-\\u001f\\u007f]+$'
// An origin as browsers send it. The trailing slash of a copied address is allowed; extensions have their own schemes.
const ORIGIN = '^(\\*|[A-Za-z][A-Za-z0-9+.-]*://[^/?#@\\s*]+/?)$'
// Plain segments, no dot segments, an asterisk only as the last one. `models` belongs to the catalog.
const EXTRA_PATH = '^(?!models(/|$))(?!.*(^|/)\\.{1,2}(/|$))[A-Za-z0-9._~:-]+(/[A-Za-z0-9._~:-]+)*(/\\*)?$'
const KEY = '^[\\x21-\\x7e]+$'
// A key, or a name, a colon and a key. The text before the first colon is always the name, which may be empty.
const NAMED_KEY = '^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?:[\\x21-\\x2b\\x2d-\\x7e]+$|^[\\x21-\\x2b\\x2d-\\x39\\x3b-\\x7e]+$'
const HOST_NAME = '^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$'

/**
 * Every setting, by its environment name. `must` completes the sentence
 * "NAME must …" for the start-up report. Durations are seconds, decimals allowed.
 */
export const ConfigSchema = Type.Object({
  HOST: text('be an address to listen on', { default: '127.0.0.1' }),
  PORT: port({ default: 8000 }),
  REUSE_PORT: flag(false),
  PUBLIC_URL: optional(text('be an http:// or https:// URL without credentials, query or fragment')),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info'),
  INFERENCE_SERVICE_URL: text('be an http:// or https:// URL without credentials, query or fragment', { default: 'http://localhost:8001' }),
  INFERENCE_API_KEY: optional(text('be a key without spaces or control characters', { pattern: KEY })),
  MODEL_CACHE_TIMEOUT: seconds(1800),
  DEFAULT_CHAT_MODEL: text('be a model id without control characters', { pattern: MODEL_ID, default: 'gemini-1.5-flash' }),
  DEFAULT_IMAGE_MODEL: text('be a model id without control characters', { pattern: MODEL_ID, default: 'sdxl' }),
  DEFAULT_SPEECH_MODEL: optional(text('be a model id without control characters', { pattern: MODEL_ID })),
  UPSTREAM_CA_FILE: optional(text('be a path')),
  CATALOG_SOURCE: oneOf(['static', 'database', 'inference'], 'static'),
  CATALOG_FILE: optional(text('be a path')),
  CATALOG_SNAPSHOT_FILE: text('be a path', { default: 'data/catalog-snapshot.json' }),
  MODEL_POLICY: oneOf(['open', 'catalog'], 'open'),
  DATABASE_URL: optional(text('be sqlite:PATH, or a postgres:// URL', { pattern: '^(sqlite:.+|postgres(ql)?://.+)$' })),
  DATABASE_WAIT: seconds(30),
  AUDIT_KEEP: Type.Number({ minimum: 0, exclusiveMinimum: 0, maximum: 36_500, default: 90, must: 'be a number of days above 0, at most 36500' }),
  ADMIN_API_KEY: list(NAMED_KEY, 'be keys, or names and keys such as alice:KEY, separated by commas, without spaces or control characters'),
  API_KEYS: list(NAMED_KEY, 'be keys, or names and keys such as alice:KEY, separated by commas, without spaces or control characters'),
  RATE_LIMIT: count(0, 0, ' of requests in a minute'),
  REDIS_URL: optional(text('be a redis:// or rediss:// URL')),
  CORS_ORIGINS: list(ORIGIN, 'be * or origins such as https://studio.example, separated by commas'),
  ALLOWED_HOSTS: list(HOST_NAME, 'be host names without a port, separated by commas'),
  TRUST_PROXY: Type.Union([Type.Boolean(), Type.Integer({ minimum: 0 }), Type.String({ minLength: 1 })], { default: false, must: 'be true, false, a number of hops, or addresses separated by commas' }),
  BODY_LIMIT: count(1, 104857600, ' of bytes'),
  SPOOL_DIR: optional(text('be a path')),
  SPOOL_LIMIT: count(1, 8589934592, ' of bytes'),
  PROXY_EXTRA_PATHS: list(EXTRA_PATH, 'be paths below /v1 separated by commas, such as score, v2/rerank or files/*, and not the catalog\'s models'),
  UPSTREAM_CONNECT_TIMEOUT: positiveSeconds(5),
  UPSTREAM_FIRST_BYTE_TIMEOUT: positiveSeconds(600),
  UPSTREAM_IDLE_TIMEOUT: positiveSeconds(120),
  UPSTREAM_CONNECTION_AGE: positiveSeconds(60),
  CLIENT_HEADER_LIMIT: count(1024, 32768, ' of bytes'),
  CLIENT_HEADERS_TIMEOUT: positiveSeconds(20),
  CLIENT_BODY_TIMEOUT: positiveSeconds(300),
  CLIENT_STALL_TIMEOUT: positiveSeconds(60),
  MAX_CONCURRENT_REQUESTS: count(1, 1024),
  MAX_QUEUED_REQUESTS: count(0, 1024),
  QUEUE_TIMEOUT: seconds(30),
  SHUTDOWN_GRACE: seconds(30),
  METRICS_PORT: optional(port()),
  PAGES: flag(true)
}, { additionalProperties: false })

/** The frozen settings. */
export type Config = Readonly<Static<typeof ConfigSchema>>

/** Thrown by {@link loadConfig}; `problems` holds one line for each bad setting, without its value. */
export class ConfigError extends Error {
  readonly problems: string[]
  constructor (problems: string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** Thrown if the gateway cannot start because something that it needs does not answer. */
export class UnavailableError extends Error {
  readonly exitCode = EX_TEMPFAIL
  constructor (message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'UnavailableError'
  }
}

/** Settings by name, as `process.env` has them. */
export type Environment = Record<string, string | undefined>

/** Checks that a pattern cannot express, for settings that match their pattern. */
const CHECKS: { readonly [Name in keyof Config]?: (value: NonNullable<Config[Name]>) => boolean } = {
  INFERENCE_SERVICE_URL: isPlainUrl,
  PUBLIC_URL: isPlainUrl,
  REDIS_URL: value => /^rediss?:$/.test(URL.parse(value)?.protocol ?? ''),
  CORS_ORIGINS: values => values.every(isOrigin),
  TRUST_PROXY: isTrust
}

/**
 * Environment → frozen {@link Config}. Pure: reads nothing but its argument.
 * An empty variable counts as unset, as in docker-compose files.
 * @throws ConfigError naming every problem at once; never a value, which may be a secret.
 */
export function loadConfig (environment: Environment): Config {
  const settings: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries<TSchema>(ConfigSchema.properties)) {
    const raw = environment[name]?.trim()
    if (raw !== undefined && raw !== '') settings[name] = schema.type === 'array' ? listOrNone(raw) : convert(schema, raw)
  }
  Value.Default(ConfigSchema, settings)

  const invalid = new Set<string>()
  for (const { path } of Value.Errors(ConfigSchema, settings)) invalid.add(path.split('/')[1] ?? path)
  for (const [name, check] of Object.entries(CHECKS) as [string, (value: unknown) => boolean][]) {
    if (settings[name] !== undefined && !invalid.has(name) && !check(settings[name])) invalid.add(name)
  }
  const problems = [...invalid].map(name => `${name} must ${ConfigSchema.properties[name as keyof Config].must}`)
  if (!invalid.has('API_KEYS') && !invalid.has('ADMIN_API_KEY') && haveAKeyInCommon(settings as Config)) {
    problems.push('ADMIN_API_KEY must not be one of API_KEYS')
  }
  problems.push(...forwardProxyProblems(environment))
  if (problems.length > 0) throw new ConfigError(problems)
  const config = settings as Static<typeof ConfigSchema>
  if (config.PUBLIC_URL !== undefined) config.PUBLIC_URL = URL.parse(config.PUBLIC_URL)!.href.replace(/\/+$/, '')
  return Object.freeze(config)
}

function haveAKeyInCommon ({ API_KEYS: clients, ADMIN_API_KEY: admins }: Config): boolean {
  const keys = new Set(clients.map(entry => namedKey(entry).key))
  return admins.some(entry => keys.has(namedKey(entry).key))
}

/** Null, which is not valid, for commas alone: a template with empty keys must not open the gateway. */
function listOrNone (raw: string): string[] | null {
  const items = raw.split(',').map(item => item.trim()).filter(item => item !== '')
  return items.length === 0 ? null : items
}

const DECIMAL = /^-?\d+(\.\d+)?$/

/** Numbers are decimal only: `0x10` or `1e3` in an environment file is likely a mistake. */
function convert (schema: TSchema, raw: string): unknown {
  if (schema.type === 'string') return raw
  if ((schema.type === 'number' || schema.type === 'integer')) return DECIMAL.test(raw) ? Number(raw) : raw
  if (raw === 'true' || raw === 'false') return raw === 'true'
  return DECIMAL.test(raw) ? Number(raw) : raw
}

function isPlainUrl (value: string): boolean {
  const url = URL.parse(value)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && !/[?#]/.test(value)
}

/** Also checks the port's range, which the pattern does not. */
function isOrigin (value: string): boolean {
  return value === '*' || URL.canParse(value)
}

function isTrust (setting: Config['TRUST_PROXY']): boolean {
  try {
    compileTrust(setting)
    return true
  } catch {
    return false
  }
}

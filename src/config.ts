import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { compileTrust } from './http/trust.ts'

/** Exit code of a process that refuses its configuration (sysexits.h EX_CONFIG). */
export const EX_CONFIG = 78

const text = (must: string, options = {}) => Type.String({ minLength: 1, must, ...options })
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema)
const seconds = (value: number, options = {}) => Type.Number({ minimum: 0, maximum: 2_000_000, default: value, must: 'be a number of seconds, 0 to 2000000', ...options })
const positiveSeconds = (value: number) => seconds(value, { exclusiveMinimum: 0, must: 'be a number of seconds above 0, at most 2000000' })
const count = (minimum: number, value: number, unit = '') => Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, default: value, must: `be a whole number${unit}, ${minimum} or more` })
const oneOf = <const T extends string>(values: T[], value: T) => Type.Union(values.map(v => Type.Literal(v)), { default: value, must: `be one of: ${values.join(', ')}` })

// A line break would end the part that carries the id in a multipart body.
const MODEL_ID = '^[^\\u0000-\\u001f\\u007f]+$'
// As browsers name pages: no path, but the slash of a copied address; extensions have schemes of their own.
const ORIGIN = '^(\\*|[A-Za-z][A-Za-z0-9+.-]*://[^/?#@\\s*]+/?)$'
// Plain segments, none of them a dot segment; `models` is the catalog's.
const EXTRA_PATH = '^(?!models(/|$))(?!.*(^|/)\\.{1,2}(/|$))[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$'

/**
 * Every setting, by its environment name. `must` completes the sentence
 * "NAME must …" for the start-up report. Durations are seconds, decimals allowed.
 */
export const ConfigSchema = Type.Object({
  HOST: text('be an address to listen on', { default: '127.0.0.1' }),
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 8000, must: 'be a port, 0 to 65535' }),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info'),
  INFERENCE_SERVICE_URL: text('be an http:// or https:// URL without credentials, query or fragment', { default: 'http://localhost:8001' }),
  INFERENCE_API_KEY: optional(text('be a key without spaces or control characters', { pattern: '^[\\x21-\\x7e]+$' })),
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
  ADMIN_API_KEY: optional(text('be a key without spaces or control characters', { pattern: '^[\\x21-\\x7e]+$' })),
  API_KEYS: Type.Array(Type.String({ pattern: '^[\\x21-\\x2b\\x2d-\\x7e]+$' }), { default: [], must: 'be keys separated by commas, without spaces or control characters' }),
  RATE_LIMIT: count(0, 0, ' of requests in a minute'),
  CORS_ORIGINS: Type.Array(Type.String({ pattern: ORIGIN }), { default: [], must: 'be * or origins such as https://studio.example, separated by commas' }),
  TRUST_PROXY: Type.Union([Type.Boolean(), Type.Integer({ minimum: 0 }), Type.String({ minLength: 1 })], { default: false, must: 'be true, false, a number of hops, or addresses separated by commas' }),
  BODY_LIMIT: count(1, 104857600, ' of bytes'),
  PROXY_EXTRA_PATHS: Type.Array(Type.String({ pattern: EXTRA_PATH }), { default: [], must: 'be paths below /v1 separated by commas, such as score or v2/rerank, and not the catalog\'s models' }),
  UPSTREAM_CONNECT_TIMEOUT: positiveSeconds(5),
  UPSTREAM_FIRST_BYTE_TIMEOUT: positiveSeconds(600),
  UPSTREAM_IDLE_TIMEOUT: positiveSeconds(120),
  CLIENT_HEADERS_TIMEOUT: positiveSeconds(20),
  CLIENT_BODY_TIMEOUT: positiveSeconds(300),
  CLIENT_STALL_TIMEOUT: positiveSeconds(60),
  MAX_CONCURRENT_REQUESTS: count(1, 1024),
  MAX_QUEUED_REQUESTS: count(0, 1024),
  QUEUE_TIMEOUT: seconds(30),
  PAGES: Type.Boolean({ default: true, must: 'be true or false' }),
  SHUTDOWN_GRACE: seconds(30),
  WORKERS: Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 1024 })], { default: 1, must: 'be a number of processes, 1 to 1024, or auto' })
}, { additionalProperties: false })

/** The frozen settings that every other part is given. */
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

type Environment = Record<string, string | undefined>

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
  const problems = [...invalid].map(name => `${name} must ${ConfigSchema.properties[name as keyof Config].must}`)
  if (!invalid.has('INFERENCE_SERVICE_URL') && !isServiceUrl(settings.INFERENCE_SERVICE_URL as string)) {
    problems.push(`INFERENCE_SERVICE_URL must ${ConfigSchema.properties.INFERENCE_SERVICE_URL.must}`)
  }
  if (!invalid.has('TRUST_PROXY') && !isTrust(settings.TRUST_PROXY as Config['TRUST_PROXY'])) {
    problems.push(`TRUST_PROXY must ${ConfigSchema.properties.TRUST_PROXY.must}`)
  }
  const { ADMIN_API_KEY: adminKey, API_KEYS: apiKeys } = settings as Config
  if (adminKey !== undefined && !invalid.has('API_KEYS') && apiKeys.includes(adminKey)) {
    problems.push('ADMIN_API_KEY must not be one of API_KEYS')
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze(settings as Static<typeof ConfigSchema>)
}

/** null, which no list may be, for commas alone: a template whose keys were all empty must not open the gateway. */
function listOrNone (raw: string): string[] | null {
  const items = raw.split(',').map(item => item.trim()).filter(item => item !== '')
  return items.length === 0 ? null : items
}

const DECIMAL = /^-?\d+(\.\d+)?$/

/** Numbers are decimal only: `0x10` or `1e3` in an environment file is a slip, not a number. */
function convert (schema: TSchema, raw: string): unknown {
  if (schema.type === 'string') return raw
  if ((schema.type === 'number' || schema.type === 'integer')) return DECIMAL.test(raw) ? Number(raw) : raw
  if (raw === 'true' || raw === 'false') return raw === 'true'
  return DECIMAL.test(raw) ? Number(raw) : raw
}

function isServiceUrl (value: string): boolean {
  const url = URL.parse(value)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && !/[?#]/.test(value)
}

function isTrust (setting: Config['TRUST_PROXY']): boolean {
  try {
    compileTrust(setting)
    return true
  } catch {
    return false
  }
}

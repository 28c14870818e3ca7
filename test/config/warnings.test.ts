// What is allowed and yet likely a mistake is said at the start: settings without
// effect, names with a slip, keys that can be guessed, trust in everyone.
import t from 'tap'
import { ConfigSchema, loadConfig } from '../../src/config.ts'
import { settingWarnings } from '../../src/config/warnings.ts'
import { spawnGateway } from '../spawn.ts'

const LONG = 'a-key-of-sixteen-letters'
const warnings = (environment: Record<string, string>) => settingWarnings(environment, loadConfig(environment))

t.test('nothing is said of a plain start, nor of what else an environment has', async t => {
  t.same(warnings({}), [])
  t.same(warnings(Object.fromEntries(Object.keys(ConfigSchema.properties).map(name => [name, '']))), [])
  t.same(warnings({ API_KEYS: LONG, ADMIN_API_KEY: `alice:${LONG}2`, TRUST_PROXY: '1', CATALOG_SOURCE: 'database', DATABASE_URL: 'sqlite:x', RATE_LIMIT: '5', REDIS_URL: 'redis://h' }), [])
  const others = [
    'PATH', 'HOME', 'HOSTNAME', 'USER', 'PAGER', 'TERM', 'LANG', 'PWD', 'TMPDIR', 'LS_COLORS', 'NO_PROXY', 'NODE_ENV', 'NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS',
    'OTEL_SERVICE_NAME', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_HEADERS', 'npm_config_cache', 'npm_package_version', 'npm_lifecycle_event', 'KUBERNETES_SERVICE_HOST', 'KUBERNETES_PORT_443_TCP',
    'GATEWAY_SERVICE_PORT', 'REDIS_PORT_6379_TCP', 'POSTGRES_PASSWORD', 'PGHOST', 'AWS_REGION', 'OPENAI_API_KEY', 'XDG_RUNTIME_DIR', 'SSH_AUTH_SOCK', 'UV_THREADPOOL_SIZE', 'NOTIFY_SOCKET', 'INVOCATION_ID', 'JOURNAL_STREAM', 'SYSTEMD_EXEC_PID'
  ]
  t.same(warnings(Object.fromEntries(others.map(name => [name, 'x']))), [])
  t.same(warnings(Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy'].map(name => [name, 'http://proxy.example:3128']))), [])
})

t.test('a setting that has no effect says what takes it away', async t => {
  t.same(warnings({ DATABASE_URL: 'sqlite:x', MODEL_CACHE_TIMEOUT: '5', CATALOG_SNAPSHOT_FILE: 'x' }), [
    'DATABASE_URL has no effect with CATALOG_SOURCE=static.',
    'MODEL_CACHE_TIMEOUT has no effect with CATALOG_SOURCE=static.',
    'CATALOG_SNAPSHOT_FILE has no effect with CATALOG_SOURCE=static.'
  ])
  t.same(warnings({ DATABASE_URL: 'sqlite:x', CATALOG_SOURCE: 'inference', MODEL_CACHE_TIMEOUT: '5' }), [])
  t.same(warnings({ REDIS_URL: 'redis://h' }), ['REDIS_URL has no effect with RATE_LIMIT=0.'])
  t.same(settingWarnings({ REDIS_URL_FILE: '/run/secrets/redis' }, loadConfig({})), ['REDIS_URL has no effect with RATE_LIMIT=0.'])
  t.same(warnings({ ALLOWED_HOSTS: 'a.example', API_KEYS: LONG }), ['ALLOWED_HOSTS has no effect with API_KEYS.'])
  t.same(warnings({ QUEUE_TIMEOUT: '5', MAX_QUEUED_REQUESTS: '0' }), ['QUEUE_TIMEOUT has no effect with MAX_QUEUED_REQUESTS=0.'])
})

t.test('an unknown name that looks like a setting says which one is likely meant, and not its value', async t => {
  for (const [name, likely] of Object.entries({
    CATALOG_FILES: 'CATALOG_FILE',
    API_KEY: 'API_KEYS',
    APIKEYS_FILE: 'API_KEYS_FILE',
    API_KEY_FILE: 'API_KEYS_FILE',
    INFERENCE_URL: 'INFERENCE_SERVICE_URL',
    INFERENCE_SERVICE_URLS: 'INFERENCE_SERVICE_URL',
    DEFAULT_MODEL: 'DEFAULT_CHAT_MODEL',
    CORS_ORIGIN: 'CORS_ORIGINS',
    Trust_Proxy: 'TRUST_PROXY',
    UPSTREAM_IDLE_LIMIT: 'UPSTREAM_IDLE_TIMEOUT',
    MAX_CONCURRENT_STREAMS: 'MAX_CONCURRENT_REQUESTS',
    RATE_LIMITS: 'RATE_LIMIT'
  })) {
    t.same(warnings({ [name]: 'hunter2' }), [`${name} is not a setting and has no effect. Is ${likely} meant?`], name)
  }
})

t.test('short keys and a trust in everyone', async t => {
  t.match(warnings({ API_KEYS: `short,alice:${'k'.repeat(15)},${LONG}`, ADMIN_API_KEY: 'x' }), [/^API_KEYS has 2 keys of fewer than 16 characters/, /^ADMIN_API_KEY has a key of fewer than 16/])
  t.match(warnings({ TRUST_PROXY: 'true' }), [/^TRUST_PROXY=true believes/])
})

t.test('they are lines of the log', async t => {
  const gateway = await spawnGateway(t, { API_KEYS: 'hunter2', CATALOG_FILES: '/secret/place', DATABASE_URL: 'postgres://u:hunter3@h/d', TRUST_PROXY: 'true' })
  const lines = gateway.out().trim().split('\n').map(line => JSON.parse(line)).filter(({ level }) => level === 40)
  t.match(lines.map(({ msg }) => msg).sort(), [/^API_KEYS/, /^CATALOG_FILES/, /^DATABASE_URL/, /^TRUST_PROXY/])
  t.notMatch(gateway.output(), /hunter|secret/)
})

/**
 * Every instrument of the gateway, as data. Names that begin with `gen_ai_` are those
 * of OpenTelemetry's GenAI conventions (status: development) in Prometheus' spelling:
 * `gen_ai.client.operation.*` as in semantic-conventions v1.41.0, the last release that
 * has one name for all operations; the token counters as in semantic-conventions-genai
 * v0.1.0, which has renamed the former to `gen_ai.client.inference.*` for inference alone.
 */
export interface Instrument {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  /** Read from the gateway's state at each scrape, as all gauges are. Otherwise counted at each event. */
  readonly read?: true
  /** The unit of the value. */
  readonly unit: 'seconds' | 'bytes' | 'tokens' | 'requests' | 'answers' | 'connections' | 'bodies' | 'models' | 'refreshes' | 'info'
  readonly help: string
  /** Label names, each with a bounded set of values (docs/operations.md). */
  readonly labels: readonly string[]
  /** Upper bounds of a histogram, in ascending order. */
  readonly buckets?: readonly number[]
}

/** 0.01 s, doubling to 655.36 s: the conventions' bounds, extended above the default first-byte limit of 600 s. */
export const SECONDS: readonly number[] = Array.from({ length: 17 }, (_, i) => Math.round(0.01 * 2 ** i * 100) / 100)

const MODELS = ['gen_ai_operation_name', 'gen_ai_request_model', 'gen_ai_response_model', 'http_route'] as const

/** Every instrument, by its name in the code. */
export const INSTRUMENTS = {
  duration: {
    name: 'gen_ai_client_operation_duration_seconds',
    kind: 'histogram',
    unit: 'seconds',
    help: 'Time from the arrival of a request to the end of its answer, the wait in the queue included.',
    labels: [...MODELS, 'error_type'],
    buckets: SECONDS
  },
  timeToFirstChunk: {
    name: 'gen_ai_client_operation_time_to_first_chunk_seconds',
    kind: 'histogram',
    unit: 'seconds',
    help: 'Time from sending a request to the service to the first byte of a streamed answer.',
    labels: MODELS,
    buckets: SECONDS
  },
  timePerOutputChunk: {
    name: 'gen_ai_client_operation_time_per_output_chunk_seconds',
    kind: 'histogram',
    unit: 'seconds',
    help: 'Time between the pieces of a streamed answer after the first; each piece is counted with the mean of its answer.',
    labels: MODELS,
    buckets: SECONDS
  },
  inputTokens: {
    name: 'gen_ai_client_inference_usage_input_tokens_total',
    kind: 'counter',
    unit: 'tokens',
    help: 'Tokens of inputs, those from a cache included, as the service states them.',
    labels: MODELS
  },
  outputTokens: {
    name: 'gen_ai_client_inference_usage_output_tokens_total',
    kind: 'counter',
    unit: 'tokens',
    help: 'Tokens of outputs, those of reasoning included, as the service states them.',
    labels: MODELS
  },
  cachedInputTokens: {
    name: 'gen_ai_client_inference_usage_cache_read_input_tokens_total',
    kind: 'counter',
    unit: 'tokens',
    help: 'Tokens of inputs that came from the cache of the service.',
    labels: MODELS
  },
  reasoningTokens: {
    name: 'gen_ai_client_inference_usage_reasoning_output_tokens_total',
    kind: 'counter',
    unit: 'tokens',
    help: 'Tokens of outputs that were reasoning.',
    labels: MODELS
  },
  withoutUsage: {
    name: 'gateway_answers_without_usage_total',
    kind: 'counter',
    unit: 'answers',
    help: 'Complete answers of chat, completions and embeddings that state no tokens.',
    labels: ['gen_ai_request_model', 'http_route']
  },
  bytesIn: {
    name: 'gateway_request_body_bytes_total',
    kind: 'counter',
    unit: 'bytes',
    help: 'Bytes of the bodies of proxied requests.',
    labels: ['http_route']
  },
  bytesOut: {
    name: 'gateway_response_body_bytes_total',
    kind: 'counter',
    unit: 'bytes',
    help: 'Bytes of the bodies of relayed answers.',
    labels: ['http_route']
  },
  queueWait: {
    name: 'gateway_queue_wait_seconds',
    kind: 'histogram',
    unit: 'seconds',
    help: 'Time that a request waited for a slot.',
    labels: [],
    buckets: SECONDS
  },
  connectTime: {
    name: 'gateway_upstream_connect_seconds',
    kind: 'histogram',
    unit: 'seconds',
    help: 'Time to open a connection to the service, its TLS included.',
    labels: [],
    buckets: SECONDS
  },
  clientsLeft: {
    name: 'gateway_clients_left_total',
    kind: 'counter',
    unit: 'requests',
    help: 'Requests whose client went away, by where the request was.',
    labels: ['phase']
  },
  streamsBroken: {
    name: 'gateway_streams_broken_total',
    kind: 'counter',
    unit: 'answers',
    help: 'Answers that broke off after they had begun, by the error code.',
    labels: ['reason']
  },
  refused: {
    name: 'gateway_requests_refused_total',
    kind: 'counter',
    unit: 'requests',
    help: 'Requests that were answered with an error of the gateway, by its code.',
    labels: ['code']
  },
  uncounted: {
    name: 'gateway_rate_limit_uncounted_requests_total',
    kind: 'counter',
    read: true,
    unit: 'requests',
    help: 'Requests that RATE_LIMIT did not count, because Redis did not answer; absent without REDIS_URL.',
    labels: []
  },
  httpRequests: {
    name: 'gateway_http_requests_total',
    kind: 'counter',
    unit: 'requests',
    help: 'Answers that were sent whole, of all routes, by route, method and status.',
    labels: ['http_route', 'http_request_method', 'http_response_status_code']
  },
  inFlight: {
    name: 'gateway_requests_in_flight',
    kind: 'gauge',
    read: true,
    unit: 'requests',
    help: 'Requests that hold a slot, at most MAX_CONCURRENT_REQUESTS.',
    labels: []
  },
  queued: {
    name: 'gateway_requests_queued',
    kind: 'gauge',
    read: true,
    unit: 'requests',
    help: 'Requests that wait for a slot, at most MAX_QUEUED_REQUESTS.',
    labels: []
  },
  queueLimit: {
    name: 'gateway_queue_limit_requests',
    kind: 'gauge',
    read: true,
    unit: 'requests',
    help: 'MAX_QUEUED_REQUESTS.',
    labels: []
  },
  connections: {
    name: 'gateway_upstream_connections',
    kind: 'gauge',
    read: true,
    unit: 'connections',
    help: 'Open connections to the service, by whether a request uses them.',
    labels: ['state']
  },
  connectionsOpened: {
    name: 'gateway_upstream_connections_opened_total',
    kind: 'counter',
    read: true,
    unit: 'connections',
    help: 'Connections to the service that were opened.',
    labels: []
  },
  spooledBodies: {
    name: 'gateway_spooled_bodies',
    kind: 'gauge',
    read: true,
    unit: 'bodies',
    help: 'Request bodies that are on disk.',
    labels: []
  },
  spooledBytes: {
    name: 'gateway_spooled_bytes',
    kind: 'gauge',
    read: true,
    unit: 'bytes',
    help: 'Bytes of the request bodies that are on disk, at most SPOOL_LIMIT.',
    labels: []
  },
  catalogModels: {
    name: 'gateway_catalog_models',
    kind: 'gauge',
    read: true,
    unit: 'models',
    help: 'Active models of the catalog.',
    labels: []
  },
  catalogAge: {
    name: 'gateway_catalog_age_seconds',
    kind: 'gauge',
    read: true,
    unit: 'seconds',
    help: 'Age of the catalog; absent where it cannot age.',
    labels: []
  },
  catalogMaxAge: {
    name: 'gateway_catalog_max_age_seconds',
    kind: 'gauge',
    read: true,
    unit: 'seconds',
    help: 'MODEL_CACHE_TIMEOUT: the age from which on the catalog is refreshed.',
    labels: []
  },
  catalogRefreshes: {
    name: 'gateway_catalog_refreshes_total',
    kind: 'counter',
    read: true,
    unit: 'refreshes',
    help: 'Refreshes of the catalog, by result.',
    labels: ['result']
  },
  buildInfo: {
    name: 'gateway_build_info',
    kind: 'gauge',
    read: true,
    unit: 'info',
    help: 'Always 1; the labels tell the version.',
    labels: ['version']
  }
} as const satisfies Record<string, Instrument>

/** The name of an instrument in the code. */
export type InstrumentKey = keyof typeof INSTRUMENTS

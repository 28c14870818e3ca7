/** What the gateway reads a request body as: `none` is passed on unread. */
export type BodyKind = 'json' | 'multipart' | 'none'
export type ModelType = 'chat' | 'image' | 'speech'

/** One proxied route: its path below `/v1`, and what its body may need. */
export interface Endpoint {
  readonly path: string
  readonly methods: readonly ('GET' | 'POST')[]
  readonly body: BodyKind
  /** Type of the model it runs on; decides the default. Absent: no default. */
  readonly modelType?: ModelType
}

const POST = ['POST'] as const

/**
 * Every path that goes upstream; all else is a 404, since inference servers keep
 * dangerous routes under the same prefix (vLLM: `/v1/load_lora_adapter`).
 */
export const ENDPOINTS: readonly Endpoint[] = [
  { path: 'chat/completions', methods: POST, body: 'json', modelType: 'chat' },
  { path: 'completions', methods: POST, body: 'json', modelType: 'chat' },
  { path: 'responses', methods: POST, body: 'json', modelType: 'chat' },
  { path: 'images/generations', methods: POST, body: 'json', modelType: 'image' },
  { path: 'images/edits', methods: POST, body: 'multipart', modelType: 'image' },
  { path: 'images/variations', methods: POST, body: 'multipart', modelType: 'image' },
  { path: 'audio/speech', methods: POST, body: 'json', modelType: 'speech' },
  { path: 'audio/transcriptions', methods: POST, body: 'multipart', modelType: 'speech' },
  { path: 'audio/translations', methods: POST, body: 'multipart', modelType: 'speech' },
  { path: 'embeddings', methods: POST, body: 'json' },
  { path: 'moderations', methods: POST, body: 'json' },
  { path: 'rerank', methods: POST, body: 'json' }
]

/** The built-in endpoints and the operator's own (`PROXY_EXTRA_PATHS`), which are passed on unread. */
export function listEndpoints (extraPaths: readonly string[]): Endpoint[] {
  const builtIn = new Set(ENDPOINTS.map(endpoint => endpoint.path))
  const extra = [...new Set(extraPaths)]
    .filter(path => !builtIn.has(path))
    .map((path): Endpoint => ({ path, methods: ['GET', 'POST'], body: 'none' }))
  return [...ENDPOINTS, ...extra]
}

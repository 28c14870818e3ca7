import type { ModelType } from '../catalog/models.ts'

/** The methods that a proxied route can take. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** One proxied path, and what its body may need. */
export interface Endpoint {
  /** Below `/v1`, as a Fastify pattern: `responses/:id`, `files/*`. */
  readonly path: string
  readonly methods: readonly Method[]
  /** The body is read for the model that it names. */
  readonly scanned: boolean
  /** Type of the model that it runs on: decides the default. Absent: no default. */
  readonly modelType?: ModelType
  /** Keys of the body that name the model in another way: where one is there, no default is added. */
  readonly otherKeys?: readonly string[]
}

const POST = ['POST'] as const
const GET = ['GET'] as const

/** OpenRouter: a list of fallback models, and a stored preset. */
const OPENROUTER = ['models', 'preset']
/** OpenAI's responses also run a stored prompt, which has its own model. */
const RESPONSES = [...OPENROUTER, 'prompt']

/**
 * Every path that goes upstream. Any other is a 404: inference servers have
 * dangerous routes under the same prefix (vLLM: `/v1/load_lora_adapter`).
 */
export const ENDPOINTS: readonly Endpoint[] = [
  { path: 'chat/completions', methods: POST, scanned: true, modelType: 'chat', otherKeys: OPENROUTER },
  { path: 'completions', methods: POST, scanned: true, modelType: 'chat', otherKeys: OPENROUTER },
  { path: 'responses', methods: POST, scanned: true, modelType: 'chat', otherKeys: RESPONSES },
  { path: 'responses/:id', methods: ['GET', 'DELETE'], scanned: false },
  { path: 'responses/:id/cancel', methods: POST, scanned: false },
  { path: 'responses/:id/input_items', methods: GET, scanned: false },
  { path: 'messages', methods: POST, scanned: true, modelType: 'chat', otherKeys: OPENROUTER },
  { path: 'messages/count_tokens', methods: POST, scanned: true, modelType: 'chat', otherKeys: OPENROUTER },
  { path: 'images/generations', methods: POST, scanned: true, modelType: 'image' },
  { path: 'images/edits', methods: POST, scanned: true, modelType: 'image' },
  { path: 'images/variations', methods: POST, scanned: true, modelType: 'image' },
  { path: 'audio/speech', methods: POST, scanned: true, modelType: 'speech' },
  { path: 'audio/transcriptions', methods: POST, scanned: true, modelType: 'speech' },
  { path: 'audio/translations', methods: POST, scanned: true, modelType: 'speech' },
  { path: 'embeddings', methods: POST, scanned: true },
  { path: 'moderations', methods: POST, scanned: true },
  { path: 'rerank', methods: POST, scanned: true }
]

const EXTRA_METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/**
 * The built-in endpoints and the operator's own (`PROXY_EXTRA_PATHS`), whose
 * bodies go upstream unread. An extra path adds methods to a built-in one.
 */
export function listEndpoints (extraPaths: readonly string[]): Endpoint[] {
  const extra = [...new Set(extraPaths)].map((path): Endpoint => {
    const taken = new Set(ENDPOINTS.filter(endpoint => endpoint.path === path).flatMap(({ methods }) => methods))
    return { path: escapeColons(path), methods: EXTRA_METHODS.filter(method => !taken.has(method)), scanned: false }
  })
  return [...ENDPOINTS, ...extra]
}

/** A colon in an operator's path is a colon, not a parameter: Fastify writes that `::`. */
function escapeColons (path: string): string {
  return path.replaceAll(':', '::')
}

/** Whether the gateway's own errors on that path have the shape of Anthropic's API. */
export function usesAnthropicErrors (url: string): boolean {
  return /^\/(openai\/)?v1\/messages(\/count_tokens)?\/?(\?|$)/.test(url)
}

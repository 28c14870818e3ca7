/** The tokens of a request as the service states them. Unstated counts are absent. */
export interface Usage {
  /** All tokens of the input, those from a cache included. */
  input?: number
  /** All tokens of the output, those of its reasoning included. */
  output?: number
  /** Tokens of the input that came from the service's cache. */
  cachedInput?: number
  /** Tokens of the output that were reasoning. */
  reasoning?: number
}

type Fields = Readonly<Record<string, unknown>>

type Path = readonly [name: string, inner?: string]

/** The fields in which services state each count. The first one present counts. */
const PATHS: Readonly<Record<keyof Usage, readonly Path[]>> = {
  input: [['prompt_tokens'], ['input_tokens']],
  output: [['completion_tokens'], ['output_tokens']],
  // OpenAI's chat and responses, Anthropic's messages, DeepSeek.
  cachedInput: [['prompt_tokens_details', 'cached_tokens'], ['input_tokens_details', 'cached_tokens'], ['cache_read_input_tokens'], ['prompt_cache_hit_tokens']],
  // OpenAI's chat and responses, SGLang.
  reasoning: [['completion_tokens_details', 'reasoning_tokens'], ['output_tokens_details', 'reasoning_tokens'], ['reasoning_tokens']]
}

/**
 * Reads a `usage` object: OpenAI's chat, completions, responses, embeddings,
 * images and transcriptions, Anthropic's messages, and compatible ones.
 * @returns undefined where it states no count of tokens (a transcription that is billed by its length)
 */
export function readUsage (value: unknown): Usage | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const fields = value as Fields
  const usage: Usage = {}
  set(usage, 'input', firstOf(fields, PATHS.input))
  set(usage, 'output', firstOf(fields, PATHS.output))
  set(usage, 'cachedInput', firstOf(fields, PATHS.cachedInput))
  set(usage, 'reasoning', firstOf(fields, PATHS.reasoning))
  // Anthropic's `input_tokens` exclude those from its cache. LiteLLM adds its names of them to OpenAI's counts, which include them.
  if (usage.input !== undefined && countAt(fields, 'prompt_tokens') === undefined) usage.input += (countAt(fields, 'cache_read_input_tokens') ?? 0) + (countAt(fields, 'cache_creation_input_tokens') ?? 0)
  // A reranker states the total only.
  if (usage.input === undefined && usage.output === undefined) set(usage, 'input', countAt(fields, 'total_tokens'))
  return isEmpty(usage) ? undefined : usage
}

/**
 * Reads llama.cpp's `timings`, which every answer of its server has: `prompt_n` are
 * the computed input tokens, `cache_n` the cached ones.
 */
export function readTimings (value: unknown): Usage | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const computed = countAt(value as Fields, 'prompt_n')
  const cached = countAt(value as Fields, 'cache_n')
  const usage: Usage = {}
  set(usage, 'input', computed === undefined ? undefined : computed + (cached ?? 0))
  set(usage, 'output', countAt(value as Fields, 'predicted_n'))
  set(usage, 'cachedInput', cached)
  return isEmpty(usage) ? undefined : usage
}

function firstOf (fields: Fields, paths: readonly Path[]): number | undefined {
  for (const [name, inner] of paths) {
    const count = countAt(fields, name, inner)
    if (count !== undefined) return count
  }
  return undefined
}

function countAt (fields: Fields, name: string, inner?: string): number | undefined {
  let value = fields[name]
  if (inner !== undefined) value = typeof value === 'object' && value !== null ? (value as Fields)[inner] : undefined
  return Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : undefined
}

function set (usage: Usage, name: keyof Usage, count: number | undefined): void {
  if (count !== undefined) usage[name] = count
}

function isEmpty (usage: Usage): boolean {
  return Object.keys(usage).length === 0
}

import type { ModelType } from './models.ts'

/** The kind of a model: a type of the catalog, or `other` for a kind that the catalog does not hold. */
export type Kind = ModelType | 'other'

/**
 * Words with which servers name the kind of a model, in lower case, with `-` for `_` and for spaces.
 * Sources: [T] Together (github.com/togethercomputer/openapi: ModelInfo.type), [L] LM Studio (docs: REST API v0 and v1,
 * `type`), [H] Hugging Face's pipeline tags (huggingface.co/tasks; Speaches and DeepInfra use them as `task`),
 * [X] Xinference (`model_type`, `model_ability`), [I] Infinity (`capabilities`), [O] Ollama and llama.cpp
 * (`capabilities`), [M] Mistral (`capabilities`), [R] OpenRouter (`output_modalities`), [E] LiteLLM (`mode`),
 * [V] Vercel AI Gateway (`type`), [G] GitHub Models (`task`), [N] New API (`supported_endpoint_types`).
 */
export const KIND_WORDS: Readonly<Record<Kind, readonly string[]>> = {
  chat: [
    'chat', 'language', 'code', // T, V
    'llm', 'vlm', // L, X
    'text-generation', 'text2text-generation', 'conversational', 'image-text-to-text', 'audio-text-to-text', 'video-text-to-text', 'any-to-any', // H
    'generate', // X
    'completion', // O, E
    'responses', // E
    'completion-chat', 'completion-fim', // M
    'chat-completion', 'text-completion' // G, E
  ],
  image: [
    'image', // T, V, X, R
    'text-to-image', 'image-to-image', // H
    'text2image', 'image2image', 'inpainting', // X
    'image-generation', 'image-edit' // E, N
  ],
  speech: [
    'speech', 'transcription', // R
    'audio', 'transcribe', // T, X
    'text-to-speech', 'text-to-audio', 'automatic-speech-recognition', 'speech-to-text', // H
    'text2audio', 'audio2text', // X
    'audio-speech', 'audio-transcription', 'audio-transcription-realtime', // E, M
    'tts', 'stt', 'asr'
  ],
  other: [
    'embedding', 'embeddings', 'embed', // T, L, X, I, O, R
    'rerank', 'reranker', 'reranking', 'text-ranking', 'jina-rerank', // T, X, I, V, H, N
    'moderation', 'moderations', // T, M, E
    'video', 'text-to-video', 'image-to-video', 'text2video', 'image2video', 'video-generation', 'openai-video', // T, H, X, E, N
    'classify', 'classification', 'text-classification', 'zero-shot-classification', 'token-classification', // I, M, H
    'feature-extraction', 'sentence-similarity', 'fill-mask', // H
    'ocr', 'search', 'vector-store' // M, E
  ]
}

const KIND_OF_WORD = new Map(Object.entries(KIND_WORDS).flatMap(([kind, words]) => words.map(word => [word, kind as Kind] as const)))

/**
 * Well-known names, for servers that list all their models without a type (OpenAI, LiteLLM, New API, vLLM behind a router).
 * They are tried in this order on the last part of an id (behind its last slash or backslash) in lower case. The
 * examples are tested; each is the id of a model as its maker or a hosting service publishes it.
 */
export const ID_PATTERNS: ReadonlyArray<{ kind: Kind, pattern: RegExp, examples: readonly string[] }> = [
  { kind: 'other', pattern: /rerank|^ms-marco-/, examples: ['BAAI/bge-reranker-v2-m3', 'rerank-english-v3.0', 'cross-encoder/ms-marco-MiniLM-L-6-v2'] },
  { kind: 'other', pattern: /embed(?!ded)/, examples: ['text-embedding-3-small', 'nomic-embed-text:latest', 'mistral-embed', 'embeddinggemma-300m'] },
  { kind: 'other', pattern: /^(bge|e5|multilingual-e5|gte|m3e|uae|voyage|stella|labse|instructor|all-minilm|all-mpnet|paraphrase|sentence-t5|jina-clip)([-_:.]|$)/, examples: ['BAAI/bge-m3', 'intfloat/multilingual-e5-large', 'thenlper/gte-large', 'all-minilm:latest', 'voyage-3-large'] },
  { kind: 'other', pattern: /moderation|^llama-?guard|^shieldgemma/, examples: ['omni-moderation-latest', 'meta-llama/Llama-Guard-3-8B', 'google/shieldgemma-2b'] },
  { kind: 'other', pattern: /^(sora|veo|kling|hailuo|mochi)(?![a-z])|^(cogvideo|hunyuan-?video|ltx-?v|stable-video|wan-?\d)|(^|[-_.])(t2v|i2v)([-_.]|$)/, examples: ['sora-2', 'veo-3.0-generate-001', 'Wan-AI/Wan2.2-T2V-A14B', 'tencent/HunyuanVideo'] },
  { kind: 'speech', pattern: /whisper|transcribe|(^|[-_.])asr([-_.]|$)|^(parakeet|canary|moonshine|sensevoice)(?![a-z])|^wav2vec/, examples: ['whisper-1', 'Systran/faster-whisper-large-v3', 'gpt-4o-transcribe', 'nvidia/parakeet-tdt-0.6b-v2', 'qwen3-asr-flash'] },
  { kind: 'speech', pattern: /(^|[-_.x])tts([-_.:\d]|$)|^(kokoro|orpheus|piper|bark|parler|chatterbox)(?![a-z])|^(speecht5|cosyvoice|fish-speech|melotts|outetts|eleven_)/, examples: ['tts-1', 'tts-1-hd', 'gpt-4o-mini-tts', 'coqui/XTTS-v2', 'hexgrad/Kokoro-82M', 'suno/bark', 'eleven_multilingual_v2'] },
  { kind: 'image', pattern: /^dall-?e|^gpt-image|^chatgpt-image|^grok-.*image|^imagen|^qwen-?image|^hunyuan-?(image|dit)/, examples: ['dall-e-3', 'gpt-image-1', 'grok-2-image-1212', 'imagen-4.0-generate-001', 'Qwen/Qwen-Image'] },
  { kind: 'image', pattern: /sdxl|stable-(diffusion|image|cascade)|^sd[-_]?(\d|xl|turbo)/, examples: ['sdxl', 'stabilityai/stable-diffusion-xl-base-1.0', 'sd3.5-large', 'stabilityai/sd-turbo'] },
  { kind: 'image', pattern: /(^|[-_.])flux(\d|[-_.:]|$)/, examples: ['flux-schnell', 'black-forest-labs/FLUX.1-dev', 'flux1-dev-fp8.safetensors'] },
  { kind: 'image', pattern: /^(midjourney|playground-v\d*|kandinsky|pixart|hidream|kolors|seedream|ideogram|recraft|auraflow|cogview|dreamshaper|z-image)(?![a-z])/, examples: ['playground-v2.5-1024px-aesthetic', 'Kwai-Kolors/Kolors', 'ideogram-v3', 'HiDream-ai/HiDream-I1-Full'] }
]

/** The kind of a well-known name; undefined for any other. */
export function kindByName (id: string): Kind | undefined {
  const name = id.slice(Math.max(id.lastIndexOf('/'), id.lastIndexOf('\\')) + 1).toLowerCase()
  return ID_PATTERNS.find(({ pattern }) => pattern.test(name))?.kind
}

type Item = Readonly<Record<string, unknown>>

/** Paths at which servers state the kind as a word or a list of words. The first known word counts. */
const KIND_PATHS: ReadonlyArray<readonly string[]> = [
  ['type'], // Together, LM Studio, Vercel
  ['task'], // Speaches, DeepInfra, GitHub Models
  ['mode'], // LiteLLM
  ['model_type'], // Xinference
  ['sub_type'], // SiliconFlow
  ['capabilities', 'type'], // GitHub Copilot
  ['supported_endpoint_types'] // New API
]

/** The value at a path of keys; undefined if there is none. */
export function valueAt (item: Item, path: readonly string[]): unknown {
  let at: unknown = item
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Item)[key]
  }
  return at
}

/** The words of a text or of a list of texts, as {@link KIND_WORDS} writes them. */
export function wordsOf (value: unknown): string[] {
  const texts = Array.isArray(value) ? value : [value]
  return texts.filter(text => typeof text === 'string' && text.length <= 50).map((text: string) => text.trim().toLowerCase().replace(/[_\s]+/g, '-'))
}

/** One of several kinds: a model that can chat is a chat model. */
function oneOf (words: readonly string[]): Kind | undefined {
  const kinds = new Set(words.map(word => KIND_OF_WORD.get(word)))
  return (['chat', 'image', 'speech', 'other'] as const).find(kind => kinds.has(kind))
}

/** The kind by output modality: text means chat, except that audio as the only input means transcription. */
function kindByModalities (input: readonly string[], output: readonly string[]): Kind | undefined {
  if (output.includes('text')) return input.join() === 'audio' ? 'speech' : 'chat'
  return oneOf(output)
}

/** What a server states about one model, read by capabilities.ts. */
export interface Statements {
  /** The names of the stated capabilities. */
  has: readonly string[]
  input: readonly string[]
  output: readonly string[]
}

/** The kind of a model as its server states it; undefined if it does not, or with unknown words. */
export function statedKind (item: Item, { has, input, output }: Statements): Kind | undefined {
  for (const path of KIND_PATHS) {
    const kind = oneOf(wordsOf(valueAt(item, path)))
    if (kind !== undefined) return kind
  }
  return kindByModalities(input, output) ?? oneOf(has) ?? (item['supports_chat'] === true ? 'chat' : undefined)
}

import { MODEL_TYPES, type CuratedModel, type Model, type ModelType } from './models.ts'

/** What an inference service says of one of its models. */
export type ReportedModel = Pick<Model, 'id'> & Partial<Pick<Model, 'name' | 'description' | 'type' | 'provider' | 'contextLength'>>

/** A service that lists more than this is taken to be broken, and spares the event loop. */
const MAX_MODELS = 2000
const MAX_ID_LENGTH = 512

/** Where servers keep the context length; the first that holds one counts. */
const CONTEXT_LENGTHS = [
  ['contextLength'],
  ['context_length'],
  ['max_model_len'],
  // What llama.cpp was started with comes before what the model was trained for.
  ['meta', 'n_ctx'],
  ['meta', 'n_ctx_train'],
  ['context_window'],
  ['max_context_length'],
  ['max_input_tokens']
]

/** Other servers' words for the kinds of models; `null` are kinds that the catalog has no place for. */
const TYPES = new Map<string, ModelType | null>([
  ...MODEL_TYPES.map(type => [type, type] as const),
  ['language', 'chat'],
  ['code', 'chat'],
  ['llm', 'chat'],
  ['vlm', 'chat'],
  ['audio', 'speech'],
  ['embedding', null],
  ['embeddings', null],
  ['moderation', null],
  ['rerank', null]
])

/**
 * Reads an answer to `GET /models`: a bare array, or `{data: […]}`.
 * @throws Error that says what is wrong; half a list is never read.
 */
export function readReported (answer: unknown): ReportedModel[] {
  const [items, root] = Array.isArray(answer) ? [answer, ''] : [(answer as { data?: unknown } | null)?.data, '/data']
  if (!Array.isArray(items)) throw new Error('The answer is neither an array nor an object with an array `data`.')
  if (items.length === 0) throw new Error('The answer lists no models.')
  if (items.length > MAX_MODELS) throw new Error(`The answer lists more than ${MAX_MODELS} models.`)
  const seen = new Set<string>()
  const models: ReportedModel[] = []
  for (const [index, item] of items.entries()) {
    const pointer = `${root}/${index}`
    if (typeof item !== 'object' || item === null) throw new Error(`${pointer} is not an object.`)
    const model = readItem(item, pointer)
    if (model === undefined) continue
    if (seen.has(model.id)) throw new Error(`${pointer}/id duplicates an id.`)
    seen.add(model.id)
    models.push(model)
  }
  if (models.length === 0) throw new Error('The answer lists no models for chat, image or speech.')
  return models
}

type Item = Record<string, unknown>

function readItem (item: Item, pointer: string): ReportedModel | undefined {
  const id = text(item, 'id', pointer)
  // eslint-disable-next-line no-control-regex -- what a header, a log line and PostgreSQL cannot hold
  if (id === undefined || id.length > MAX_ID_LENGTH || /[\u0000-\u001f\u007f]/.test(id)) throw new Error(`${pointer}/id is not a model's id.`)
  const type = TYPES.get(text(item, 'type', pointer) ?? '')
  if (type === null) return undefined
  const name = text(item, 'name', pointer) ?? text(item, 'display_name', pointer)
  const description = text(item, 'description', pointer)
  const provider = text(item, 'provider', pointer)
  const contextLength = contextLengthOf(item, pointer)
  return {
    id,
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(type !== undefined && { type }),
    ...(provider !== undefined && { provider }),
    ...(contextLength !== undefined && { contextLength })
  }
}

/** An empty text says as little as none. */
function text (item: Item, key: string, pointer: string): string | undefined {
  const value = item[key] ?? ''
  if (typeof value !== 'string') throw new Error(`${pointer}/${key} is not a string.`)
  return value === '' ? undefined : value
}

function contextLengthOf (item: Item, pointer: string): number | undefined {
  for (const path of CONTEXT_LENGTHS) {
    const value = path.reduce<unknown>((at, key) => (at as Item | null | undefined)?.[key], item) ?? 0
    if (typeof value !== 'number') throw new Error(`${pointer}/${path.join('/')} is not a number.`)
    // Some servers write 0 for what they do not know.
    if (Number.isSafeInteger(value) && value > 0) return value
  }
  return undefined
}

/**
 * What the service reports, completed: what it leaves unsaid comes from the
 * curated model of that id, then from the contract's defaults. A curated model
 * that is not active stays hidden.
 */
export function completed (reported: readonly ReportedModel[], curated: readonly CuratedModel[]): CuratedModel[] {
  const byId = new Map(curated.map(model => [model.id, model]))
  return reported.map(model => {
    const known = byId.get(model.id)
    const type = model.type ?? known?.type ?? 'chat'
    const provider = model.provider ?? known?.provider
    const contextLength = model.contextLength ?? known?.contextLength
    return {
      id: model.id,
      name: model.name ?? known?.name ?? model.id,
      description: model.description ?? known?.description ?? '',
      type,
      ...(provider !== undefined && { provider }),
      ...(contextLength !== undefined && { contextLength }),
      ...(known?.createdAt !== undefined && { createdAt: known.createdAt }),
      isActive: known?.isActive ?? true
    }
  })
}

import { createHash } from 'node:crypto'
import { entityTag, tagOfDigest } from './etag.ts'
import { DEFAULT_CREATED_AT, MODEL_TYPES, type Capabilities, type Model, type ModelList, type ModelType, type OpenAIModel } from './models.ts'
import { inSlices, type Steps } from './slices.ts'

/** The bytes of an answer and their ETag. */
export interface Rendering {
  body: Buffer
  tag: string
}

/** The serialisers of one shape. */
export interface Serializers {
  /** An item of the list. Its keys depend on the model's type. */
  item: Record<ModelType, (item: ModelList[number]) => string>
  detail: (model: Model) => string
  openaiDetail: (model: OpenAIModel) => string
}

/** Every answer for one state of the catalog, serialised once. */
export interface Renderings {
  all: Rendering
  byType: Record<ModelType, Rendering>
  openai: Rendering
  /** Undefined if there is no such model. */
  detail: (id: string) => Rendering | undefined
  openaiDetail: (id: string) => Rendering | undefined
}

/** A piece of JSON: a text, or its position in an earlier rendering. */
type Piece = string | { body: Buffer, start: number, end: number }

/** Models that are processed between two points where the work may pause. */
const AT_A_TIME = 20
/** Bytes that are hashed between two such points. */
const HASHED_AT_A_TIME = 256 * 1024
const COMMA = 0x2c

/**
 * Serialises the lists. An unchanged model keeps its object in the catalog, and its
 * bytes are copied from the earlier rendering.
 */
export class Renderer {
  readonly #serialize: Serializers
  readonly #items = new WeakMap<Model, Piece>()
  readonly #openai = new WeakMap<Model, Piece>()

  constructor (serialize: Serializers) {
    this.#serialize = serialize
  }

  /** The answers for these models, made in slices. The answer for one model is serialised when it is first requested. */
  async render (models: readonly Model[]): Promise<Renderings> {
    return await inSlices(this.#render(models))
  }

  * #render (models: readonly Model[]): Steps<Renderings> {
    // Item by item, because fast-json-stringify validates each item of a union to find its schema.
    const item = (model: Model) => this.#serialize.item[model.type](listItem(model))
    const all = yield * rendering(models, this.#items, item, '[', ']')
    const byType: Partial<Renderings['byType']> = {}
    for (const type of MODEL_TYPES) {
      const ofType = models.filter(model => model.type === type)
      byType[type] = ofType.length === models.length ? all : yield * rendering(ofType, this.#items, item, '[', ']')
    }
    const openai = (model: Model) => this.#serialize.openaiDetail(openaiModel(model))
    const byId = new Map(models.map(model => [model.id, model]))
    return {
      all,
      byType: byType as Renderings['byType'],
      openai: yield * rendering(models, this.#openai, openai, '{"object":"list","data":[', ']}'),
      detail: memo(byId, this.#serialize.detail),
      openaiDetail: memo(byId, openai)
    }
  }
}

/** A list of models as bytes, with its tag. `known` has the piece of each model, and afterwards its position here. */
function * rendering (models: readonly Model[], known: WeakMap<Model, Piece>, serialize: (model: Model) => string, opening: string, closing: string): Steps<Rendering> {
  let size = opening.length + Math.max(0, models.length - 1) + closing.length
  const pieces: Piece[] = []
  for (const [index, model] of models.entries()) {
    if (index % AT_A_TIME === 0) yield
    const piece = known.get(model) ?? serialize(model)
    size += typeof piece === 'string' ? Buffer.byteLength(piece) : piece.end - piece.start
    pieces.push(piece)
  }
  const body = Buffer.allocUnsafeSlow(size)
  let at = body.write(opening)
  // Pieces that were adjacent before are copied together, with the commas between them.
  let run: { from: Exclude<Piece, string>, end: number, at: number } | undefined
  const copyRun = () => {
    run?.from.body.copy(body, run.at, run.from.start, run.end)
    run = undefined
  }
  for (const [index, model] of models.entries()) {
    if (index % AT_A_TIME === 0) yield
    if (index > 0) body[at++] = COMMA
    const piece = pieces[index] as Piece
    const start = at
    if (typeof piece === 'string') {
      copyRun()
      at += body.write(piece, at)
    } else {
      if (run?.from.body === piece.body && run.end + 1 === piece.start) {
        run.end = piece.end
      } else {
        copyRun()
        run = { from: piece, end: piece.end, at }
      }
      at += piece.end - piece.start
    }
    known.set(model, { body, start, end: at })
  }
  copyRun()
  body.write(closing, at)
  const hash = createHash('sha256')
  for (let hashed = 0; hashed < size; hashed += HASHED_AT_A_TIME) {
    hash.update(body.subarray(hashed, hashed + HASHED_AT_A_TIME))
    yield
  }
  return { body, tag: tagOfDigest(hash.digest()) }
}

function memo (byId: ReadonlyMap<string, Model>, serialize: (model: Model) => string): Renderings['detail'] {
  const made = new Map<string, Rendering>()
  return id => {
    const model = byId.get(id)
    if (model === undefined) return undefined
    const known = made.get(id)
    if (known !== undefined) return known
    const body = Buffer.from(serialize(model))
    const rendering = { body, tag: entityTag(body) }
    made.set(id, rendering)
    return rendering
  }
}

function listItem ({ id, name, description, type, provider, contextLength }: Model): ModelList[number] {
  return type === 'chat'
    ? { id, name, description, contextLength: contextLength as number }
    : { id, name, description, ...(provider !== undefined && { provider }) }
}

function openaiModel ({ id, name, description, type, provider, contextLength, createdAt, capabilities }: Model): OpenAIModel {
  return {
    id,
    object: 'model',
    created: Math.floor(Date.parse(createdAt ?? DEFAULT_CREATED_AT) / 1000),
    // Clients require the field.
    owned_by: provider ?? 'model-gateway',
    name,
    description,
    type,
    ...(contextLength !== undefined && { context_length: contextLength, max_model_len: contextLength }),
    ...(capabilities !== undefined && { capabilities, ...inOpenRoutersWords(capabilities) })
  }
}

/** OpenRouter's names for the abilities (openrouter.ai/docs/models, Supported Parameters). */
const PARAMETERS = { tools: 'tools', reasoning: 'reasoning', structuredOutput: 'structured_outputs' } as const satisfies Partial<Record<keyof Capabilities, string>>

function inOpenRoutersWords (capabilities: Capabilities): Pick<OpenAIModel, 'architecture' | 'supported_parameters'> {
  const { input, output } = capabilities
  const known = Object.entries(PARAMETERS).filter(([ability]) => capabilities[ability as keyof typeof PARAMETERS] !== undefined)
  return {
    ...((input ?? output) !== undefined && { architecture: { ...(input !== undefined && { input_modalities: input }), ...(output !== undefined && { output_modalities: output }) } }),
    ...(known.length > 0 && { supported_parameters: known.filter(([ability]) => capabilities[ability as keyof typeof PARAMETERS]).map(([, word]) => word) })
  }
}

import { createHash } from 'node:crypto'
import { entityTag, tagOfDigest } from './etag.ts'
import { DEFAULT_CREATED_AT, MODEL_TYPES, type Capabilities, type Model, type ModelList, type ModelType, type OpenAIModel } from './models.ts'
import { inSlices, type Steps } from './slices.ts'

/** The bytes of an answer and their ETag. */
export interface Rendering {
  readonly body: Buffer
  readonly tag: string
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

/** Neighbours in a list, serialised, each with a comma before it. */
interface Block {
  models: readonly Model[]
  bytes: Buffer
}

/** The blocks of one list by their first model. */
type Blocks = ReadonlyMap<Model | undefined, Block>

/** Models of a block: as a rule, and the least and most where the next one can be used again. */
const BLOCK = { usual: 64, least: 16, most: 128 }
/** Models that are serialised between two points where the work may pause. */
const AT_A_TIME = 20

/**
 * Serialises the lists in blocks. An unchanged model keeps its object in the
 * catalog, so that a block of unchanged models is used again: with thousands of
 * models, an edit makes a few kilobytes and not megabytes, which the garbage
 * collector would leave for long.
 */
export class Renderer {
  readonly #serialize: Serializers
  #items: Blocks = new Map()
  #openai: Blocks = new Map()

  constructor (serialize: Serializers) {
    this.#serialize = serialize
  }

  /** The answers for these models, which are in the order of their types, made in slices. The answer for one model is serialised when it is first requested. */
  async render (models: readonly Model[]): Promise<Renderings> {
    return await inSlices(this.#render(models))
  }

  * #render (models: readonly Model[]): Steps<Renderings> {
    // Item by item, because fast-json-stringify validates each item of a union to find its schema.
    const item = (model: Model) => this.#serialize.item[model.type](listItem(model))
    const openai = (model: Model) => this.#serialize.openaiDetail(openaiModel(model))
    const items: Block[] = []
    const openaiItems: Block[] = []
    const byType: Partial<Renderings['byType']> = {}
    for (const type of MODEL_TYPES) {
      const ofType = models.filter(model => model.type === type)
      const blocks = yield * blocksOf(ofType, this.#items, item)
      byType[type] = yield * rendering('[', blocks, ']')
      items.push(...blocks)
      openaiItems.push(...yield * blocksOf(ofType, this.#openai, openai))
    }
    this.#items = byFirst(items)
    this.#openai = byFirst(openaiItems)
    const byId = new Map(models.map(model => [model.id, model]))
    return {
      all: yield * rendering('[', items, ']'),
      byType: byType as Renderings['byType'],
      openai: yield * rendering('{"object":"list","data":[', openaiItems, ']}'),
      detail: memo(byId, this.#serialize.detail),
      openaiDetail: memo(byId, openai)
    }
  }
}

function byFirst (blocks: readonly Block[]): Blocks {
  return new Map(blocks.map(block => [block.models[0], block]))
}

/** The blocks of a list, as far as possible the known ones. */
function * blocksOf (models: readonly Model[], known: Blocks, serialize: (model: Model) => string): Steps<Block[]> {
  const blocks: Block[] = []
  for (let at = 0; at < models.length;) {
    yield
    let block = known.get(models[at])
    if (block?.models.every((model, index) => model === models[at + index]) !== true) {
      const some = models.slice(at, blockEnd(models, at, known))
      block = { models: some, bytes: yield * serialized(some, serialize) }
    }
    blocks.push(block)
    at += block.models.length
  }
  return blocks
}

/** The end of the new block that begins at `at`: before the next known block, if there is one near. */
function blockEnd (models: readonly Model[], at: number, known: Blocks): number {
  for (let end = at + BLOCK.least; end <= at + BLOCK.most; end++) {
    if (end >= models.length || known.has(models[end])) return end
  }
  return at + BLOCK.usual
}

function * serialized (models: readonly Model[], serialize: (model: Model) => string): Steps<Buffer> {
  let text = ''
  for (const [index, model] of models.entries()) {
    if (index % AT_A_TIME === 0) yield
    text += `,${serialize(model)}`
  }
  return Buffer.from(text)
}

/** A list as bytes, with its tag. The bytes are joined when they are first requested, because most lists are replaced or answered with a 304 before. */
function * rendering (opening: string, [first, ...others]: readonly Block[], closing: string): Steps<Rendering> {
  const pieces = [Buffer.from(opening), ...(first === undefined ? [] : [first.bytes.subarray(1)]), ...others.map(({ bytes }) => bytes), Buffer.from(closing)]
  const hash = createHash('sha256')
  for (const piece of pieces) {
    hash.update(piece)
    yield
  }
  let body: Buffer | undefined
  return {
    get body () {
      body ??= Buffer.concat(pieces)
      return body
    },
    tag: tagOfDigest(hash.digest())
  }
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

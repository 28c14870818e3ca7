import { createHash } from 'node:crypto'
import { entityTag, tagOfDigest } from './etag.ts'
import { DEFAULT_CREATED_AT, MODEL_TYPES, type Capabilities, type Model, type ModelList, type ModelType, type OpenAIModel } from './models.ts'
import { inSlices, type Steps } from './slices.ts'

/** The bytes of an answer and the tag that stands for them. */
export interface Rendering {
  body: Buffer
  tag: string
}

/** How each shape becomes JSON. */
export interface Serializers {
  /** An item of the list, whose keys depend on the model's type. */
  item: Record<ModelType, (item: ModelList[number]) => string>
  detail: (model: Model) => string
  openaiDetail: (model: OpenAIModel) => string
}

/** Every answer that one state of the catalog can give, serialised once and not for each request. */
export interface Renderings {
  all: Rendering
  byType: Record<ModelType, Rendering>
  openai: Rendering
  /** Nothing where there is no such model. */
  detail: (id: string) => Rendering | undefined
  openaiDetail: (id: string) => Rendering | undefined
}

/** A model as it stands in the lists. */
interface Fragments {
  item: string
  openai: string
}

/** How many models are serialised between two places where the work may pause. */
const AT_A_TIME = 20
/** How many models become bytes at a time. */
const CHUNK = 200

/**
 * Serialises the lists. A model is serialised again only where it has changed:
 * the catalog keeps the object of one that has not.
 */
export class Renderer {
  readonly #serialize: Serializers
  readonly #known = new WeakMap<Model, Fragments>()

  constructor (serialize: Serializers) {
    this.#serialize = serialize
  }

  /** The answers for these models, made in slices; a single model is serialised when it is first asked for. */
  async render (models: readonly Model[]): Promise<Renderings> {
    return await inSlices(this.#render(models))
  }

  * #render (models: readonly Model[]): Steps<Renderings> {
    const items: Record<ModelType, string[]> = { chat: [], image: [], speech: [] }
    const openai: string[] = []
    for (const [index, model] of models.entries()) {
      if (index % AT_A_TIME === 0) yield
      const fragments = this.#fragments(model)
      items[model.type].push(fragments.item)
      openai.push(fragments.openai)
    }
    const all = yield * rendering('[', MODEL_TYPES.flatMap(type => items[type]), ']')
    const byType: Partial<Renderings['byType']> = {}
    for (const type of MODEL_TYPES) byType[type] = items[type].length === models.length ? all : yield * rendering('[', items[type], ']')
    const byId = new Map(models.map(model => [model.id, model]))
    return {
      all,
      byType: byType as Renderings['byType'],
      openai: yield * rendering('{"object":"list","data":[', openai, ']}'),
      detail: memo(byId, this.#serialize.detail),
      openaiDetail: memo(byId, model => this.#serialize.openaiDetail(openaiModel(model)))
    }
  }

  #fragments (model: Model): Fragments {
    const known = this.#known.get(model)
    if (known !== undefined) return known
    // Item by item: fast-json-stringify finds out which shape of a union an item has by validating it.
    const made = { item: this.#serialize.item[model.type](listItem(model)), openai: this.#serialize.openaiDetail(openaiModel(model)) }
    this.#known.set(model, made)
    return made
  }
}

/** A list of JSON texts as bytes, and their tag. */
function * rendering (start: string, items: readonly string[], end: string): Steps<Rendering> {
  const hash = createHash('sha256')
  const chunks: Buffer[] = []
  for (let at = 0; at === 0 || at < items.length; at += CHUNK) {
    const last = at + CHUNK >= items.length
    const chunk = Buffer.from(`${at === 0 ? start : ''}${items.slice(at, at + CHUNK).join(',')}${last ? end : ','}`)
    hash.update(chunk)
    chunks.push(chunk)
    yield
  }
  return { body: Buffer.concat(chunks), tag: tagOfDigest(hash.digest()) }
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
    // Clients require the field, so it cannot be left out where nobody knows.
    owned_by: provider ?? 'model-gateway',
    name,
    description,
    type,
    ...(contextLength !== undefined && { context_length: contextLength, max_model_len: contextLength }),
    ...(capabilities !== undefined && { capabilities, ...inOpenRoutersWords(capabilities) })
  }
}

/** OpenRouter's words for the abilities (openrouter.ai/docs/models, Supported Parameters). */
const PARAMETERS = { tools: 'tools', reasoning: 'reasoning', structuredOutput: 'structured_outputs' } as const satisfies Partial<Record<keyof Capabilities, string>>

function inOpenRoutersWords (capabilities: Capabilities): Pick<OpenAIModel, 'architecture' | 'supported_parameters'> {
  const { input, output } = capabilities
  const known = Object.entries(PARAMETERS).filter(([ability]) => capabilities[ability as keyof typeof PARAMETERS] !== undefined)
  return {
    ...((input ?? output) !== undefined && { architecture: { ...(input !== undefined && { input_modalities: input }), ...(output !== undefined && { output_modalities: output }) } }),
    ...(known.length > 0 && { supported_parameters: known.filter(([ability]) => capabilities[ability as keyof typeof PARAMETERS]).map(([, word]) => word) })
  }
}

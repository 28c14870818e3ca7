import { entityTag } from './etag.ts'
import { DEFAULT_CREATED_AT, MODEL_TYPES, type Model, type ModelList, type ModelType, type OpenAIModel, type OpenAIModelList } from './models.ts'

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
  openaiList: (list: OpenAIModelList) => string
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

/** Serialises what the lists show; a single model when it is first asked for. */
export function render (models: readonly Model[], serialize: Serializers): Renderings {
  const byId = new Map(models.map(model => [model.id, model]))
  // Item by item: fast-json-stringify finds out which shape of a union an item
  // has by validating it (2,000 models, cold: 56 ms instead of 5).
  const items = models.map(model => ({ type: model.type, json: serialize.item[model.type](listItem(model)) }))
  const list = (type?: ModelType) => rendering(`[${items.filter(item => type === undefined || item.type === type).map(({ json }) => json).join(',')}]`)
  return {
    all: list(),
    byType: Object.fromEntries(MODEL_TYPES.map(type => [type, list(type)])) as Renderings['byType'],
    openai: rendering(serialize.openaiList({ object: 'list', data: models.map(openaiModel) })),
    detail: memo(byId, serialize.detail),
    openaiDetail: memo(byId, model => serialize.openaiDetail(openaiModel(model)))
  }
}

function rendering (json: string): Rendering {
  const body = Buffer.from(json)
  return { body, tag: entityTag(body) }
}

function memo (byId: ReadonlyMap<string, Model>, serialize: (model: Model) => string): Renderings['detail'] {
  const made = new Map<string, Rendering>()
  return id => {
    const model = byId.get(id)
    if (model === undefined) return undefined
    const known = made.get(id) ?? rendering(serialize(model))
    made.set(id, known)
    return known
  }
}

function listItem ({ id, name, description, type, provider, contextLength }: Model): ModelList[number] {
  return type === 'chat'
    ? { id, name, description, contextLength: contextLength as number }
    : { id, name, description, ...(provider !== undefined && { provider }) }
}

function openaiModel ({ id, name, description, provider, contextLength, createdAt }: Model): OpenAIModel {
  return {
    id,
    object: 'model',
    created: Math.floor(Date.parse(createdAt ?? DEFAULT_CREATED_AT) / 1000),
    // Clients require the field, so it cannot be left out where nobody knows.
    owned_by: provider ?? 'model-gateway',
    name,
    description,
    ...(contextLength !== undefined && { context_length: contextLength, max_model_len: contextLength })
  }
}

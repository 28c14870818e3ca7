import { isDeepStrictEqual } from 'node:util'
import { CURATED_FIELDS, curatedFields, DEFAULT_CONTEXT_LENGTH, MODEL_TYPES, publicModel, type CuratedField, type CuratedModel, type Model, type ModelType } from './models.ts'
import type { ReportedModel } from './reported.ts'
import type { Steps } from './slices.ts'
import { kindByName, type Kind } from './types.ts'

/**
 * Where a field of a model comes from: an admin, the inference service, the static
 * list, or a rule of the gateway. A row of the database has values also for fields
 * that nobody set; they count as `static` where the static list has them.
 */
export type FieldSource = 'curated' | 'service' | 'static' | 'default'

/** A model with the source of each field. */
export interface SourcedModel {
  record: CuratedModel
  sources: Partial<Record<Exclude<keyof CuratedModel, 'id' | 'set'>, FieldSource>>
  /** Whether the source lists the model. A model that is only curated is not shown to clients. */
  listed: boolean
}

/** The inputs of a join. */
export interface Inputs {
  /** The list of the inference service; undefined if it is not the source or has not answered yet. */
  reported: readonly ReportedModel[] | undefined
  /** The models of the database, if there is one. */
  database: readonly CuratedModel[] | undefined
  /** The static list. */
  fixed: readonly CuratedModel[]
}

/** The result of a join. */
export interface Joined {
  /** Every model of the source, active or not. */
  all: readonly CuratedModel[]
  /** The models that clients see: chat, then image, then speech. */
  active: readonly Model[]
  /** Number of models whose kind the catalog does not hold. */
  leftOut: number
}

type Layer = Partial<Omit<CuratedModel, 'type'>> & { type?: Kind }

/**
 * The values for a model by precedence: set by an admin, reported by the service,
 * other fields of the database, the static list.
 */
function layersOf (reported: ReportedModel | undefined, curated: CuratedModel | undefined, fixed: CuratedModel | undefined): Array<[FieldSource, Layer]> {
  const layers: Array<[FieldSource, Layer]> = []
  if (curated !== undefined) layers.push(['curated', curatedFields(curated)])
  if (reported !== undefined) layers.push(['service', reported])
  // A record without fields set by an admin comes from a static list.
  if (curated !== undefined) layers.push(['static', fixed === undefined ? curated : withoutPlaceholders(curated)])
  if (fixed !== undefined) layers.push(['static', fixed])
  return layers
}

/** A row must have a name and a description. Where nobody gave one, it holds the default, which must not hide what the static list says. */
function withoutPlaceholders ({ name, description, ...model }: CuratedModel): Layer {
  return { ...model, ...(name !== model.id && { name }), ...(description !== '' && { description }) }
}

/** The defaults of fields that no source states. */
function defaultsOf (id: string): Layer {
  return { name: id, description: '', type: kindByName(id) ?? 'chat', isActive: true }
}

// `isActive` is not joined: a model that is hidden in the database stays hidden.
const FIELDS = CURATED_FIELDS.filter(field => field !== 'isActive')

type AnyModel = Omit<CuratedModel, 'type'> & { type: Kind }

function isCatalogModel (model: AnyModel): model is CuratedModel {
  return model.type !== 'other'
}

function join (id: string, layers: Array<[FieldSource, Layer]>): { model: AnyModel, sources: SourcedModel['sources'] } {
  const model: Record<string, unknown> = { id }
  const sources: SourcedModel['sources'] = {}
  const take = (field: Exclude<keyof CuratedModel, 'id' | 'set'>) => {
    for (const [source, layer] of layers) {
      if (layer[field] === undefined) continue
      model[field] = layer[field]
      sources[field] = source
      return
    }
  }
  for (const field of FIELDS) take(field)
  take('createdAt')
  take('isActive')
  for (const [field, value] of Object.entries(defaultsOf(id))) {
    if (model[field] !== undefined) continue
    model[field] = value
    sources[field as keyof typeof sources] = 'default'
  }
  return { model: model as unknown as AnyModel, sources }
}

/** Models that are processed between two points where the work may pause. */
const AT_A_TIME = 50

/** Joins the inputs. Unchanged models are the same objects as in `before`. */
export function * joinedModels ({ reported, database, fixed }: Inputs, before: ReadonlyMap<string, Model>): Steps<Joined> {
  let all: readonly CuratedModel[] = database ?? fixed
  let leftOut = 0
  if (reported !== undefined) {
    const [curatedById, fixedById] = [byId(database ?? []), byId(fixed)]
    const models: CuratedModel[] = []
    for (const [index, { id }] of reported.entries()) {
      const { model } = join(id, layersOf(reported[index], curatedById.get(id), fixedById.get(id)))
      if (isCatalogModel(model)) models.push(model)
      else leftOut++
      if (index % AT_A_TIME === 0) yield
    }
    all = inOrder(models, database)
  }
  const active: Record<ModelType, Model[]> = { chat: [], image: [], speech: [] }
  for (const [index, model] of all.entries()) {
    if (index % AT_A_TIME === 0) yield
    if (!model.isActive) continue
    active[model.type].push(shownModel(model, before))
  }
  return { all, active: MODEL_TYPES.flatMap(type => active[type]), leftOut }
}

const shownModels = new WeakMap<CuratedModel, Model>()

/** The client's view of a model. The same object for the same model, and the previous object for an equal one. */
function shownModel (model: CuratedModel, before: ReadonlyMap<string, Model>): Model {
  const known = before.get(model.id)
  let shown = shownModels.get(model)
  if (shown !== undefined && shown === known) return shown
  shown = publicModel(model)
  if (known !== undefined && isDeepStrictEqual(known, shown)) shown = known
  shownModels.set(model, shown)
  return shown
}

/** The source of a value of the database that no admin set. */
export function unsetSource (field: CuratedField, value: unknown, fixed: CuratedModel | undefined): FieldSource {
  return isDeepStrictEqual(value, fixed?.[field]) ? 'static' : 'default'
}

/** Every model of the source and every curated one, with the source of each field. */
export function sourcedModels ({ reported, database, fixed }: Inputs): SourcedModel[] {
  const [curatedById, fixedById] = [byId(database ?? []), byId(fixed)]
  const sourced = (id: string, layers: Array<[FieldSource, Layer]>, listed: boolean): SourcedModel[] => {
    const { model, sources } = join(id, layers)
    if (!isCatalogModel(model)) return []
    for (const field of CURATED_FIELDS) if (sources[field] === 'static') sources[field] = unsetSource(field, model[field], fixedById.get(id))
    if (model.type === 'chat' && model.contextLength === undefined) {
      model.contextLength = DEFAULT_CONTEXT_LENGTH
      sources.contextLength = 'default'
    }
    return [{ record: model, sources, listed }]
  }
  if (reported === undefined) return (database ?? fixed).flatMap(({ id }) => sourced(id, layersOf(undefined, curatedById.get(id), database === undefined ? fixedById.get(id) : undefined), true))
  const models = reported.flatMap(model => sourced(model.id, layersOf(model, curatedById.get(model.id), fixedById.get(model.id)), true))
  const listed = new Set(reported.map(({ id }) => id))
  const unlisted = (database ?? []).filter(({ id }) => !listed.has(id)).flatMap(({ id }) => sourced(id, layersOf(undefined, curatedById.get(id), undefined), false))
  const rank = rankOf(database)
  return [...models, ...unlisted].toSorted((a, b) => rank(a.record.id) - rank(b.record.id))
}

/** Whether two lists are equal. */
export function * sameLists (a: readonly object[], b: readonly object[]): Steps<boolean> {
  if (a.length !== b.length) return false
  for (const [index, item] of a.entries()) {
    if (item !== b[index] && !isDeepStrictEqual(item, b[index])) return false
    if (index % AT_A_TIME === 0) yield
  }
  return true
}

/** The admin's order where there is one, then the service's. */
function inOrder (models: CuratedModel[], database: readonly CuratedModel[] | undefined): CuratedModel[] {
  const rank = rankOf(database)
  return database === undefined ? models : models.toSorted((a, b) => rank(a.id) - rank(b.id))
}

function rankOf (database: readonly CuratedModel[] | undefined): (id: string) => number {
  const ranks = new Map((database ?? []).map(({ id }, index) => [id, index]))
  return id => ranks.get(id) ?? ranks.size
}

function byId (models: readonly CuratedModel[]): ReadonlyMap<string, CuratedModel> {
  return new Map(models.map(model => [model.id, model]))
}

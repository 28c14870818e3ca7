import type { Catalog } from '../catalog/catalog.ts'
import { entityTag } from '../catalog/etag.ts'
import { MODEL_TYPES } from '../catalog/models.ts'
import { inSlices } from '../catalog/slices.ts'
import type { CatalogFile } from '../catalog/static.ts'
import { GatewayError } from '../errors.ts'
import type { Change } from './changes.ts'
import { checkRemovable, created, exported, imported, knownModel, patched, refuse, reordered, replaced, type Rules } from './edits.ts'
import { StoreFailure } from './failure.ts'
import { IMPORT_LIMIT, importProblems } from './import.ts'
import type { ModelReplacement, NewModel } from './inputs.ts'
import { MOST_MODELS, type ModelDraft, type ModelRecord, type PlacedRecord } from './records.ts'
import type { ModelStore } from './store.ts'
import { ofSource, ofTable, overlaid, type AdminModel } from './view.ts'

/** An edit of one model: its id, the key's name, and the `If-Match` tag. */
export interface OneEdit {
  id: string
  who: string
  ifMatch?: string | undefined
}

/** A model of the whole list, and its position, which is compared element by element. */
export type PositionedModel = AdminModel & { position: [table: number, place: number] }

/** What an import did. */
export interface ImportResult {
  created: number
  updated: number
  deleted: number
  unchanged: number
}

/**
 * The models of the catalog as an admin sees and changes them: those of a table,
 * joined with what an inference service lists where that is the source.
 * Every method throws a GatewayError for a client's mistake and for a database
 * failure.
 */
export class Curation {
  readonly #catalog: Catalog
  readonly #store: ModelStore | null
  readonly #rules: Rules

  constructor (catalog: Catalog, store: ModelStore | null) {
    this.#catalog = catalog
    this.#store = store
    this.#rules = { joined: catalog.source === 'inference' }
  }

  /** Whether models can be changed. */
  get editable (): boolean {
    return this.#store !== null
  }

  /** Every model in catalog order, each with a position that stays when others are removed. */
  async list (): Promise<PositionedModel[]> {
    if (this.#store === null) return byType(this.#catalog.adminView().map((model, index) => ({ ...ofSource(model), position: [0, index] })))
    const { placed } = await reachable(this.#store.current())
    return byType(this.#joined(placed.map(({ record }) => record)).map((model, index) => ({ ...model, position: positionOf(placed[index], index) })))
  }

  /** @throws GatewayError where there is no such model */
  async find (id: string): Promise<AdminModel> {
    if (this.#store === null) {
      const model = this.#catalog.adminModel(id)
      return knownModel(model && ofSource(model), id)
    }
    return knownModel(this.#shown(id, await reachable(this.#store.one(id))), id)
  }

  async create (who: string, input: NewModel): Promise<AdminModel> {
    return await this.#changeOne({ id: input.id, who }, model => created(model, input, input)) as AdminModel
  }

  async replace (edit: OneEdit, input: ModelReplacement): Promise<AdminModel> {
    return await this.#changeOne(edit, model => replaced(knownModel(model, edit.id), input, this.#rules, edit.ifMatch)) as AdminModel
  }

  async patch (edit: OneEdit, patch: object): Promise<AdminModel> {
    return await this.#changeOne(edit, model => patched(knownModel(model, edit.id), patch, this.#rules, edit.ifMatch)) as AdminModel
  }

  async remove (edit: OneEdit): Promise<void> {
    await this.#changeOne(edit, model => {
      checkRemovable(knownModel(model, edit.id), edit.ifMatch)
      return undefined
    })
  }

  /** @returns all ids in their new order */
  async reorder (who: string, ids: readonly string[]): Promise<string[]> {
    await this.#changeAll(who, models => reordered(models, ids))
    return (await this.list()).map(({ record }) => record.id)
  }

  /** Every model as a catalog file, as text and with its tag. */
  async export (): Promise<{ text: string, tag: string }> {
    const text = JSON.stringify(exported(await this.list()))
    if (Buffer.byteLength(text) > IMPORT_LIMIT) throw new GatewayError('conflict', { message: `The catalog is larger than ${IMPORT_LIMIT / 1024 / 1024} MiB, which is the most that can be imported. Copy the database instead.` })
    return { text, tag: entityTag(text) }
  }

  /** Makes the catalog equal to a catalog file, completely or not at all. */
  async import (who: string, file: unknown, ifMatch: string | undefined): Promise<ImportResult> {
    refuse(await inSlices(importProblems(file, MOST_MODELS)))
    let total = 0
    const changes = await this.#changeAll(who, models => {
      total = Object.values(file as CatalogFile).flat().length
      return imported(models, file as CatalogFile, this.#rules, ifMatch)
    })
    const count = (action: Change['action']) => changes.filter(change => change.action === action).length
    const [created, updated, deleted] = [count('create'), count('update'), count('delete')]
    return { created, updated, deleted, unchanged: total - created - updated }
  }

  async #changeOne ({ id, who }: OneEdit, edit: (model: AdminModel | undefined) => ModelDraft | undefined): Promise<AdminModel | undefined> {
    const store = this.#editable()
    const after = await reachable(store.changeOne(who, id, record => edit(this.#shown(id, record))))
    await this.#catalog.edited(store.revision)
    // For emptied fields, only the catalog's join knows what the service says.
    return this.#shown(id, after)
  }

  async #changeAll (who: string, edit: (models: AdminModel[]) => ModelDraft[]): Promise<Change[]> {
    const store = this.#editable()
    const changes = await reachable(store.change(who, records => edit(this.#joined(records))))
    await this.#catalog.edited(store.revision)
    return changes
  }

  #editable (): ModelStore {
    if (this.#store !== null) return this.#store
    throw new GatewayError('conflict', { message: `The catalog's source (${this.#catalog.source}) cannot be edited. Models are edited with CATALOG_SOURCE=database, and with CATALOG_SOURCE=inference where DATABASE_URL is set.` })
  }

  #shown (id: string, record: ModelRecord | undefined): AdminModel | undefined {
    if (!this.#rules.joined) return record && ofTable(record)
    return overlaid(this.#catalog.adminModel(id), record, this.#catalog.fixed().find(model => model.id === id))
  }

  /** All models: those of the table in its order, then those that only the service lists. */
  #joined (records: readonly ModelRecord[]): AdminModel[] {
    if (!this.#rules.joined) return records.map(ofTable)
    const view = new Map(this.#catalog.adminView().map(model => [model.record.id, model]))
    const fixed = new Map(this.#catalog.fixed().map(model => [model.id, model]))
    const known = records.map(record => overlaid(view.get(record.id), record, fixed.get(record.id)) as AdminModel)
    for (const { id } of records) view.delete(id)
    return [...known, ...[...view.values()].map(model => overlaid(model, undefined, undefined)).filter(model => model !== undefined)]
  }
}

/**
 * The position of a row, else of a model without one, behind all rows. Rows are in
 * the order of their own types: the service may say another type than the row.
 */
function positionOf (placed: PlacedRecord | undefined, index: number): PositionedModel['position'] {
  return placed === undefined ? [MODEL_TYPES.length, index] : [MODEL_TYPES.indexOf(placed.record.type), placed.position]
}

function byType (models: PositionedModel[]): PositionedModel[] {
  return MODEL_TYPES.flatMap(type => models.filter(({ record }) => record.type === type))
}

/** A database failure becomes a 503. */
export async function reachable<T> (work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof StoreFailure)) throw error
    if (error.refusal) throw new GatewayError('conflict', { message: error.message, cause: error.cause })
    throw new GatewayError('not_ready', { message: error.message, cause: error.cause, headers: { 'retry-after': '5' } })
  }
}

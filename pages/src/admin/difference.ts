import { fieldChanges, type FieldChange } from './fields.ts'
import { idsMoved } from './order.ts'
import { MODEL_TYPES, type CatalogFile, type CatalogFileItem, type ModelType } from './records.ts'

/** A model of a catalog file, with the type of its list. */
export type Item = CatalogFileItem & { type: ModelType, isActive: boolean }

/** What an import would do. */
export interface Difference {
  added: Item[]
  removed: Item[]
  changed: Array<{ item: Item, fields: FieldChange[] }>
  moved: Item[]
  unchanged: number
  /** Fewer than half of the models stay. */
  removesMost: boolean
}

/** Why a text is not a catalog file, for the person who chose it. */
export class NotACatalog extends Error {}

/**
 * The catalog in a file's text, so far as to compare it; the API checks the rest.
 * @throws NotACatalog
 */
export function readCatalog (text: string): CatalogFile {
  const file = parsed(text)
  if (typeof file !== 'object' || file === null || Array.isArray(file)) throw notACatalog('it must hold an object with the lists chat, image and speech.')
  const places = new Map<string, string>()
  for (const [name, list] of Object.entries(file)) {
    if (!MODEL_TYPES.some(type => type === name)) throw notACatalog(`it has the unknown field ${JSON.stringify(name)}. Take a file that Export made: an object with the lists chat, image, speech.`)
    if (!Array.isArray(list)) throw notACatalog(`${name} is not a list.`)
    for (const [index, item] of list.entries()) noteId(places, item?.id, `number ${index + 1} of ${name}`)
  }
  return file
}

const notACatalog = (reason: string) => new NotACatalog(`The file is not a catalog: ${reason}`)

function parsed (text: string): unknown {
  if (text === '') throw new NotACatalog('The file is empty.')
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (error) {
    throw new NotACatalog(`This is not a JSON file (${(error as Error).message}).`)
  }
}

/** Two models of one id cannot be compared with what the catalog has. */
function noteId (places: Map<string, string>, id: unknown, place: string): void {
  if (typeof id !== 'string') throw notACatalog(`${place} has no id.`)
  const first = places.get(id)
  if (first !== undefined) throw notACatalog(`${place} has the id ${JSON.stringify(id)}, as ${first} has.`)
  places.set(id, place)
}

/** What an import of the file would change in the catalog. */
export function difference (catalog: CatalogFile, file: CatalogFile): Difference {
  const [before, after] = [itemsOf(catalog), itemsOf(file)]
  const old = new Map(before.map(item => [item.id, item]))
  const kept = new Map(after.map(item => [item.id, item]))
  const changed = after.flatMap(item => {
    const known = old.get(item.id)
    const fields = known === undefined ? [] : fieldChanges(known, item)
    return fields.length > 0 ? [{ item, fields }] : []
  })
  const ids = (items: Item[], type: ModelType) => items.filter(item => item.type === type).map(({ id }) => id)
  const moved = MODEL_TYPES.flatMap(type => idsMoved(ids(before, type), ids(after, type))).map(id => kept.get(id) as Item)
  const removed = before.filter(({ id }) => !kept.has(id))
  const touched = new Set([...moved, ...changed.map(({ item }) => item)])
  return {
    added: after.filter(({ id }) => !old.has(id)),
    removed,
    changed,
    moved,
    unchanged: after.filter(item => old.has(item.id) && !touched.has(item)).length,
    removesMost: removed.length > before.length / 2
  }
}

/** The models of a file in the order of the catalog. */
function itemsOf (file: CatalogFile): Item[] {
  return MODEL_TYPES.flatMap(type => (file[type] ?? []).map(item => ({ isActive: true, ...item, type })))
}

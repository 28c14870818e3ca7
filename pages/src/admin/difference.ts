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
}

/** Why a text is not a catalog file, for the person who chose it. */
export class NotACatalog extends Error {}

/**
 * The catalog in a file's text, so far as to compare it; the API checks the rest.
 * @throws NotACatalog
 */
export function readCatalog (text: string): CatalogFile {
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (error) {
    throw new NotACatalog(`The file is not JSON: ${(error as Error).message}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new NotACatalog('The file is not a catalog: it must hold an object with the lists chat, image and speech.')
  for (const [name, list] of Object.entries(value)) {
    if (!MODEL_TYPES.some(type => type === name)) throw new NotACatalog(`The file is not a catalog: it has the unknown list ${JSON.stringify(name)}.`)
    if (!Array.isArray(list)) throw new NotACatalog(`The file is not a catalog: ${name} is not a list.`)
    const wrong = list.findIndex(item => typeof item?.id !== 'string')
    if (wrong !== -1) throw new NotACatalog(`The file is not a catalog: number ${wrong + 1} of ${name} has no id.`)
  }
  return value
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
  return {
    added: after.filter(({ id }) => !old.has(id)),
    removed: before.filter(({ id }) => !kept.has(id)),
    changed,
    moved: MODEL_TYPES.flatMap(type => idsMoved(ids(before, type), ids(after, type))).map(id => kept.get(id) as Item),
    unchanged: after.filter(({ id }) => old.has(id)).length - changed.length
  }
}

/** The models of a file in the order of the catalog. */
function itemsOf (file: CatalogFile): Item[] {
  return MODEL_TYPES.flatMap(type => (file[type] ?? []).map(item => ({ isActive: true, ...item, type })))
}

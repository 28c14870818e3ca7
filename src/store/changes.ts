import type { CuratedModel } from '../catalog/models.ts'
import { NO_PLACE, settled, type ModelDraft, type ModelRecord, type PlacedRecord } from './records.ts'

/** One entry of the audit: an edit of one model, or of the order. */
export interface Change {
  action: 'create' | 'update' | 'delete' | 'order'
  modelId: string | null
  before: unknown
  after: unknown
}

/** The row changes that an edit of the whole list makes. */
export interface Edit {
  /** Ids of rows to delete. */
  remove: string[]
  /** Rows to insert. A changed row is deleted and inserted. */
  insert: PlacedRecord[]
  /** Rows whose position changes and nothing else. */
  move: PlacedRecord[]
  /** The entries of the audit. */
  changes: Change[]
  /** All records after the edit. */
  after: PlacedRecord[]
}

/** Compares the records before an edit with the drafts after it. */
export function editOf (before: readonly PlacedRecord[], drafts: readonly ModelDraft[], now: string): Edit {
  const old = new Map(before.map(placed => [placed.record.id, placed]))
  const edit: Edit = { remove: [], insert: [], move: [], changes: [], after: [] }
  let position = 0
  for (const draft of drafts) {
    const known = old.get(draft.id)
    const record = settled(draft, known?.record, now)
    // A position changes only where it must, so that a deletion does not touch other rows.
    position = known !== undefined && known.position > position && known.position < NO_PLACE ? known.position : position + 1
    const placed = record === known?.record && position === known.position ? known : { record, position }
    edit.after.push(placed)
    if (placed === known) continue
    if (record === known?.record) {
      edit.move.push(placed)
      continue
    }
    if (known !== undefined) edit.remove.push(draft.id)
    edit.insert.push(placed)
    edit.changes.push(changeOf(known?.record, record))
  }
  const kept = new Set(drafts.map(draft => draft.id))
  for (const { record } of before) {
    if (kept.has(record.id)) continue
    edit.remove.push(record.id)
    edit.changes.push(changeOf(record, undefined))
  }
  edit.changes.push(...orderChange(before.map(({ record }) => record.id).filter(id => kept.has(id)), drafts.map(draft => draft.id).filter(id => old.has(id))))
  return edit
}

/** The audit entry for a model that was created, changed or removed. */
export function changeOf (before: ModelRecord | undefined, after: ModelRecord | undefined): Change {
  const action = before === undefined ? 'create' : after === undefined ? 'delete' : 'update'
  return { action, modelId: (after ?? before as ModelRecord).id, before: shown(before), after: shown(after) }
}

/** A record as the admin API shows it. */
export function shown (record: ModelRecord | undefined): Omit<CuratedModel, 'set'> | null {
  if (record === undefined) return null
  const { set, ...fields } = record
  return fields
}

/** The model before a moved one; null at the start of the list. */
interface Standing {
  id: string
  behind: string | null
}

/** The audit entry for a new order of the same ids. It names only the moved models: if one goes from the end to the start, that one. */
function orderChange (before: readonly string[], after: readonly string[]): Change[] {
  if (before.every((id, index) => id === after[index])) return []
  const placeBefore = new Map(before.map((id, index) => [id, index]))
  const stay = longestRising(after.map(id => placeBefore.get(id) as number))
  const moved = after.filter((_id, index) => !stay.has(index))
  const placeAfter = new Map(after.map((id, index) => [id, index]))
  const standing = (ids: readonly string[], positions: ReadonlyMap<string, number>) => moved.map((id): Standing => ({ id, behind: ids[(positions.get(id) as number) - 1] ?? null }))
  return [{ action: 'order', modelId: null, before: standing(before, placeBefore), after: standing(after, placeAfter) }]
}

/** The indexes of a longest increasing subsequence of distinct numbers (patience sorting). */
function longestRising (numbers: readonly number[]): Set<number> {
  /** For each length, the index of the smallest number that ends a subsequence of that length. */
  const ends: number[] = []
  const previous: Array<number | undefined> = []
  for (const [index, number] of numbers.entries()) {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((numbers[ends[middle] as number] as number) < number) low = middle + 1
      else high = middle
    }
    previous[index] = ends[low - 1]
    ends[low] = index
  }
  const rising = new Set<number>()
  for (let index = ends.at(-1); index !== undefined; index = previous[index]) rising.add(index)
  return rising
}

import { GatewayError } from '../errors.ts'

/** What orders the items of a list: compared piece by piece. */
export type Place = Array<number | string>

/** A piece of a list, and the cursor that asks for what comes after it. */
export interface Page<T> {
  data: T[]
  next: string | null
}

/** The first items after the cursor. An item that has gone in between does not matter: the cursor is a place, not an item. */
export function pageOf<T> (items: readonly T[], placeOf: (item: T) => Place, limit: number, cursor?: string): Page<T> {
  const after = cursor === undefined ? undefined : readCursor(cursor)
  const rest = after === undefined ? items : items.filter(item => compare(placeOf(item), after) > 0)
  return cutPage(rest, placeOf, limit)
}

/** A page of a list from which at least one more than `limit` was read, if there are as many. */
export function cutPage<T> (items: readonly T[], placeOf: (item: T) => Place, limit: number): Page<T> {
  const data = items.slice(0, limit)
  const last = data.at(-1)
  return { data, next: last === undefined || items.length <= limit ? null : Buffer.from(JSON.stringify(placeOf(last))).toString('base64url') }
}

/** @throws GatewayError where the cursor is none of ours. */
export function readCursor (cursor: string): Place {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(place) && place.every(piece => typeof piece === 'number' || typeof piece === 'string')) return place
  } catch {
    // Told below.
  }
  throw new GatewayError('invalid_value', { message: 'cursor must be the `next` of an earlier page.', param: 'cursor' })
}

function compare (a: Place, b: Place): number {
  const index = a.findIndex((piece, index) => piece !== b[index])
  if (index === -1) return 0
  return (a[index] as number) < (b[index] as number) ? -1 : 1
}

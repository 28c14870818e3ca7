import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { GatewayError } from '../errors.ts'

/** What orders the items of a list: compared piece by piece. */
export type Place = Array<number | string>

/** The place of a model: its type's, its own among all, and its id. */
export const ModelPlaceSchema = Type.Tuple([Type.Number(), Type.Number(), Type.String()])

/** The place of an entry of the audit: its revision and sequence, as far as their columns reach. */
export const AuditPlaceSchema = Type.Tuple([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 })])

/** A piece of a list, and the cursor that asks for what comes after it. */
export interface Page<T> {
  data: T[]
  next: string | null
}

/** The first items after a place. An item that has gone in between does not matter: a cursor is a place, not an item. */
export function pageOf<T> (items: readonly T[], placeOf: (item: T) => Place, limit: number, after?: Place): Page<T> {
  const rest = after === undefined ? items : items.filter(item => compare(placeOf(item), after) > 0)
  return pageWith(rest.slice(0, limit), placeOf, rest.length > limit)
}

/** A page of these items, and whether more come after it. */
export function pageWith<T> (data: T[], placeOf: (item: T) => Place, more: boolean): Page<T> {
  const last = data.at(-1)
  return { data, next: last === undefined || !more ? null : Buffer.from(JSON.stringify(placeOf(last))).toString('base64url') }
}

/** The place that a cursor stands for; nothing where there is no cursor. @throws GatewayError where it is none of that list's. */
export function readCursor<T extends TSchema> (schema: T, cursor: string | undefined): Static<T> | undefined {
  if (cursor === undefined) return undefined
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Value.Check(schema, place)) return place
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

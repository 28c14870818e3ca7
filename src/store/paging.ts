import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { GatewayError } from '../errors.ts'

/** The sort key of an item in a list, compared element by element. */
export type Position = Array<number | string>

/** The position of a model: of its type, of its row (by the row's type, then within it), and its id. */
export const ModelPositionSchema = Type.Tuple([Type.Number(), Type.Number(), Type.Number(), Type.String()])

/** The position of an audit entry: its revision and sequence, within the ranges of their columns. */
export const AuditPositionSchema = Type.Tuple([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 })])

/** A page of a list, and the cursor of the next page. */
export interface Page<T> {
  data: T[]
  next: string | null
}

/** The first items after a position. A cursor is a position, not an item, so it stays valid when its item is removed. */
export function pageOf<T> (items: readonly T[], positionOf: (item: T) => Position, limit: number, after?: Position): Page<T> {
  const rest = after === undefined ? items : items.filter(item => compare(positionOf(item), after) > 0)
  return pageWith(rest.slice(0, limit), positionOf, rest.length > limit)
}

/** A page of these items; `more`: others follow. */
export function pageWith<T> (data: T[], positionOf: (item: T) => Position, more: boolean): Page<T> {
  const last = data.at(-1)
  return { data, next: last === undefined || !more ? null : Buffer.from(JSON.stringify(positionOf(last))).toString('base64url') }
}

/** The position of a cursor; undefined without one. @throws GatewayError invalid_value for a cursor of another list. */
export function readCursor<T extends TSchema> (schema: T, cursor: string | undefined): Static<T> | undefined {
  if (cursor === undefined) return undefined
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Value.Check(schema, position)) return position
  } catch {
    // Reported below.
  }
  throw new GatewayError('invalid_value', { message: 'cursor must be the `next` of an earlier page.', param: 'cursor' })
}

function compare (a: Position, b: Position): number {
  const index = a.findIndex((piece, index) => piece !== b[index])
  if (index === -1) return 0
  return (a[index] as number) < (b[index] as number) ? -1 : 1
}

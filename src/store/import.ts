import { Type } from '@sinclair/typebox'
import { MODEL_TYPES } from '../catalog/models.ts'
import { firstProblems, modelProblems, schemaProblems, type Problem } from '../catalog/problems.ts'
import type { Steps } from '../catalog/slices.ts'
import { CatalogFileItemSchema, type CatalogFileItem } from '../catalog/static.ts'

/** Largest catalog file for import and export, bytes. */
export const IMPORT_LIMIT = 16 * 1024 * 1024

const items = Type.Optional(Type.Array(Type.Unknown()))
const FrameSchema = Type.Object(Object.fromEntries(MODEL_TYPES.map(type => [type, items])), { additionalProperties: false })

/** Models that are checked between two points where the work may pause. */
const AT_A_TIME = 20

/** The problems of a catalog file with at most that many models; none if it is valid. Stops when enough were found. */
export function * importProblems (file: unknown, most: number): Steps<Problem[]> {
  const frame = schemaProblems(FrameSchema, file)
  if (frame.length > 0) return frame
  const lists = MODEL_TYPES.map(type => [type, (file as Record<string, unknown[]>)[type] ?? []] as const)
  if (lists.reduce((sum, [, items]) => sum + items.length, 0) > most) return [{ pointer: '', reason: `must have at most ${most} models` }]
  const problems: Problem[] = []
  const seen = new Map<string, string>()
  for (const [type, items] of lists) {
    for (const [index, item] of items.entries()) {
      const pointer = `/${type}/${index}`
      problems.push(...itemProblems(item, pointer, seen))
      const first = firstProblems(problems)
      if (first.length < problems.length) return first
      if (index % AT_A_TIME === 0) yield
    }
  }
  return problems
}

function itemProblems (item: unknown, pointer: string, seen: Map<string, string>): Problem[] {
  const form = schemaProblems(CatalogFileItemSchema, item)
  if (form.length > 0) return form.map(problem => ({ ...problem, pointer: pointer + problem.pointer }))
  const { id } = item as CatalogFileItem
  const first = seen.get(id)
  if (first === undefined) seen.set(id, `${pointer}/id`)
  const duplicate = first === undefined ? [] : [{ pointer: `${pointer}/id`, reason: `duplicates the id ${JSON.stringify(id)} of ${first}` }]
  return [...modelProblems(item as CatalogFileItem, pointer), ...duplicate]
}

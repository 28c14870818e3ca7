/** Where a model is put: first of all, or beside another one. */
export type Place = { first: true } | { before: string } | { after: string }

/** Where keys and menus move a model. */
export type Direction = 'up' | 'down' | 'top'

/** Ids with one of them at another place; the same array where it stands there already. */
export function moved (ids: string[], id: string, place: Place): string[] {
  const others = ids.filter(other => other !== id)
  if (others.length === ids.length) return ids
  const index = 'first' in place ? 0 : 'before' in place ? others.indexOf(place.before) : others.indexOf(place.after) + 1
  const unknown = index === -1 || ('after' in place && index === 0)
  if (unknown || ids.indexOf(id) === index) return ids
  return others.toSpliced(index, 0, id)
}

/** The ids that have to change places among themselves to get from one order to the other: the shortest piece that holds all that moves. */
export function pieceMoved (before: readonly string[], after: readonly string[]): string[] {
  const first = after.findIndex((id, index) => id !== before[index])
  if (first === -1) return []
  return after.slice(first, after.findLastIndex((id, index) => id !== before[index]) + 1)
}

/** The fewest ids that were taken out and put back elsewhere: all but a longest run that kept its order. */
export function idsMoved (before: readonly string[], after: readonly string[]): string[] {
  const places = new Map(before.map((id, place) => [id, place]))
  const known = after.filter(id => places.has(id))
  // Patience sorting: `ends[n]` is the index of the smallest place that ends a rising run of n + 1.
  const ends: number[] = []
  const previous: number[] = []
  const place = (index: number) => places.get(known[index] as string) as number
  for (const index of known.keys()) {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (place(ends[middle] as number) < place(index)) low = middle + 1
      else high = middle
    }
    previous[index] = ends[low - 1] ?? -1
    ends[low] = index
  }
  const kept = new Set<number>()
  for (let index = ends.at(-1) ?? -1; index !== -1; index = previous[index] as number) kept.add(index)
  return known.filter((_id, index) => !kept.has(index))
}

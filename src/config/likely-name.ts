/** Shorter names are too similar to distinguish a mistake from another program's variable (PAGER, PAGES). */
const SHORTEST = 7
/** Most letters that a misspelling adds, drops or changes. */
const SLIPS = 2

/**
 * The known name that an unknown one is likely meant to be: one that differs by two
 * letters (`CATALOG_FILES`), contains its words (`DEFAULT_MODEL`), or begins
 * with the same two words (`UPSTREAM_IDLE_LIMIT`).
 * @returns undefined for a known name, and for one that is similar to none
 */
export function likelyName (name: string, known: readonly string[]): string | undefined {
  if (known.includes(name) || name.length < SHORTEST || !name.includes('_')) return undefined
  const upper = name.toUpperCase()
  const distances = known.map(other => ({ other, distance: editDistance(upper, other) })).sort((a, b) => a.distance - b.distance)
  const [nearest] = distances
  if (nearest !== undefined && nearest.distance <= SLIPS) return nearest.other
  return distances.find(({ other }) => hasWordsOf(other, upper) || beginAlike(other, upper))?.other
}

function hasWordsOf (name: string, part: string): boolean {
  const words = name.split('_')
  return part.split('_').every(word => words.includes(word))
}

function beginAlike (name: string, other: string): boolean {
  const [first, second] = name.split('_')
  return second !== undefined && other.startsWith(`${first}_${second}_`)
}

/** The Levenshtein distance. */
function editDistance (from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const changed = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(Math.min(changed, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[to.length]!
}

import type { Steps } from '../catalog/slices.ts'

/** Characters that are scanned between two points where the work may pause. */
const AT_A_TIME = 16_384

/** Most values in one text: 10,000 models with all their fields. More would block the event loop while they are parsed. */
const MOST_VALUES = 600_000

/**
 * Problems of a JSON text that `JSON.parse` accepts: a duplicate key in one object
 * (it keeps the last one; RFC 8259 section 4 leaves the choice to the reader), and
 * more values than the gateway can use. Undefined for a text that is not JSON.
 */
export function * jsonProblem (text: string): Steps<string | undefined> {
  /** The keys of each enclosing object; undefined for an array. */
  const around: Array<Set<string> | undefined> = []
  let isKey = false
  let values = 0
  let pause = AT_A_TIME
  for (let at = 0; at < text.length; at++) {
    if (at > pause) {
      pause = at + AT_A_TIME
      yield
    }
    const character = text[at]
    if (character === '{' || character === '[') {
      isKey = character === '{'
      around.push(isKey ? new Set() : undefined)
    } else if (character === '}' || character === ']') {
      around.pop()
      isKey = false
    } else if (character === ',') {
      isKey = around.at(-1) !== undefined
    } else if (character === '"') {
      const end = endOfString(text, at)
      if (isKey) {
        const key = keyIn(text.slice(at, end + 1))
        const keys = around.at(-1)
        if (keys?.has(key) === true) return `has the key ${JSON.stringify(key.slice(0, 100))} twice in one object`
        keys?.add(key)
        isKey = false
      }
      at = end
      continue
    } else continue
    if (++values > MOST_VALUES) return `has more than ${MOST_VALUES} values`
  }
  return undefined
}

/** Keys are compared after their escapes are decoded. */
function keyIn (quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    return JSON.parse(quoted) as string
  } catch {
    return quoted
  }
}

/** The index of the quotation mark that ends a string. */
function endOfString (text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text[end - 1 - escapes] === '\\') escapes++
    if (escapes % 2 === 0) return end
  }
  return text.length
}

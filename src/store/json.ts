import type { Steps } from '../catalog/slices.ts'

/** How much of a text is looked at between two places where the work may pause, characters. */
const AT_A_TIME = 16_384

/** Values in one text: 10,000 models with all that a model can have. More would hold up the event loop when they are parsed. */
const MOST_VALUES = 600_000

/**
 * What is wrong with a JSON text that `JSON.parse` would not tell: a key that
 * stands twice in one object, of which it keeps the last (RFC 8259 section 4
 * leaves open what a reader does, so the writer may mean the other value), and
 * more values than the gateway has a use for. Nothing of a text that is no JSON.
 */
export function * jsonProblem (text: string): Steps<string | undefined> {
  /** The keys of each object around this place; for an array, nothing. */
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

/** A key may be written with escapes. */
function keyIn (quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    return JSON.parse(quoted) as string
  } catch {
    return quoted
  }
}

/** The place of the quotation mark that ends a string. */
function endOfString (text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text[end - 1 - escapes] === '\\') escapes++
    if (escapes % 2 === 0) return end
  }
  return text.length
}

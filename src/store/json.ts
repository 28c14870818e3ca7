import type { Steps } from '../catalog/slices.ts'

/** How much of a text is looked at between two places where the work may pause, characters. */
const AT_A_TIME = 16_384

/**
 * The first key that stands twice in one object of a JSON text, which
 * `JSON.parse` hides: it keeps the last. RFC 8259 section 4 leaves open what a
 * reader does, so the writer may mean the other value.
 * @param text sound JSON
 */
export function * duplicateKey (text: string): Steps<string | undefined> {
  /** The keys of each object around this place; for an array, nothing. */
  const around: Array<Set<string> | undefined> = []
  let isKey = false
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
        const key = JSON.parse(text.slice(at, end + 1)) as string
        const keys = around.at(-1) as Set<string>
        if (keys.has(key)) return key
        keys.add(key)
        isKey = false
      }
      at = end
    }
  }
  return undefined
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

/** A block of Markdown, as far as models write it: CommonMark's and GitHub's usual ones, no HTML. */
export type Block =
  | { type: 'paragraph', text: string }
  | { type: 'heading', level: number, text: string }
  | { type: 'code', language: string, text: string }
  | { type: 'quote', blocks: Block[] }
  | { type: 'list', ordered: boolean, start: number, items: Block[][] }
  | { type: 'table', head: string[], rows: string[][] }
  | { type: 'rule' }

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( +|$)/
const QUOTE = /^ {0,3}> ?/
const TABLE_LINE = /^ *\|?( *:?-+:? *\|)+( *:?-+:? *)?$/

/** Deeper nesting is shown as text: an answer of a thousand `>` must not fill the stack. */
const DEEPEST = 12

/** Markdown → blocks. What is not understood is a paragraph; an open code fence ends with the text. */
export function parseBlocks (markdown: string, depth = 0): Block[] {
  if (depth > DEEPEST) return markdown.trim() === '' ? [] : [{ type: 'paragraph', text: markdown }]
  const lines = markdown.replaceAll('\r\n', '\n').split('\n')
  const blocks: Block[] = []
  let at = 0
  while (at < lines.length) {
    if (isBlank(lines[at])) at++
    else at = readBlock(lines, at, blocks, depth)
  }
  return blocks
}

/** Reads the block that begins at a line; returns the line behind it. */
function readBlock (lines: string[], at: number, blocks: Block[], depth: number): number {
  const line = lines[at]!
  const fence = FENCE.exec(line)
  if (fence !== null) {
    const end = find(lines, at + 1, text => text.trim().startsWith(fence[1]!) && /^[`~]+$/.test(text.trim()))
    blocks.push({ type: 'code', language: fence[2]!, text: lines.slice(at + 1, end).join('\n') })
    return end + 1
  }
  const heading = HEADING.exec(line)
  if (heading !== null) {
    blocks.push({ type: 'heading', level: heading[1]!.length, text: heading[2]! })
    return at + 1
  }
  if (RULE.test(line)) {
    blocks.push({ type: 'rule' })
    return at + 1
  }
  if (QUOTE.test(line)) {
    const end = find(lines, at, text => !QUOTE.test(text))
    blocks.push({ type: 'quote', blocks: parseBlocks(lines.slice(at, end).map(text => text.replace(QUOTE, '')).join('\n'), depth + 1) })
    return end
  }
  if (ITEM.test(line)) return readList(lines, at, blocks, depth)
  if (line.includes('|') && TABLE_LINE.test(lines[at + 1] ?? '')) {
    const end = find(lines, at + 2, text => !text.includes('|'))
    blocks.push({ type: 'table', head: cells(line), rows: lines.slice(at + 2, end).map(cells) })
    return end
  }
  const end = find(lines, at + 1, text => isBlank(text) || FENCE.test(text) || HEADING.test(text) || RULE.test(text) || QUOTE.test(text) || ITEM.test(text))
  blocks.push({ type: 'paragraph', text: lines.slice(at, end).map(text => text.trimStart()).join('\n') })
  return end
}

function readList (lines: string[], at: number, blocks: Block[], depth: number): number {
  const first = ITEM.exec(lines[at]!)![2]!
  const ordered = /\d/.test(first)
  const items: Block[][] = []
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]!)
    if (item === null || /\d/.test(item[2]!) !== ordered || RULE.test(lines[at]!)) break
    // Lines that are indented as far as the item's text belong to it, blank ones between them too.
    const indent = item[1]!.length + 2
    const end = find(lines, at + 1, (text, place) => !isBlank(text) ? leading(text) < indent && (ITEM.test(text) || isBlank(lines[place - 1])) : false)
    const own = [lines[at]!.slice(item[0].length), ...lines.slice(at + 1, end).map(text => text.slice(Math.min(leading(text), item[0].length)))]
    items.push(parseBlocks(own.join('\n'), depth + 1))
    at = end
  }
  blocks.push({ type: 'list', ordered, start: ordered ? parseInt(first) : 1, items })
  return at
}

const isBlank = (line: string | undefined) => line === undefined || line.trim() === ''
const leading = (line: string) => line.length - line.trimStart().length
const cells = (line: string) => line.trim().replace(/^\||\|$/g, '').split('|').map(cell => cell.trim())

function find (lines: string[], from: number, matches: (line: string, place: number) => boolean): number {
  for (let at = from; at < lines.length; at++) if (matches(lines[at]!, at)) return at
  return lines.length
}

import { Fragment, type ReactNode } from 'react'

const MARKS: Array<[mark: string, wrap: (content: ReactNode) => ReactNode]> = [
  ['**', content => <strong>{content}</strong>],
  ['__', content => <strong>{content}</strong>],
  ['~~', content => <s>{content}</s>],
  ['*', content => <em>{content}</em>],
  ['_', content => <em>{content}</em>]
]
const SPECIAL = /[\\`*_~![\n]|https?:\/\//g
const DEEPEST = 8

/** A line of Markdown as React elements: never as HTML, so that no text of a model can become markup or script. */
export function inline (text: string, depth = 0): ReactNode {
  if (depth > DEEPEST) return text
  const parts: ReactNode[] = []
  let plain = 0
  const special = new RegExp(SPECIAL)
  for (let match = special.exec(text); match !== null; match = special.exec(text)) {
    const found = readSpecial(text, match.index, depth)
    if (found === undefined) continue
    parts.push(text.slice(plain, match.index), found.node)
    plain = special.lastIndex = found.end
  }
  parts.push(text.slice(plain))
  return parts.map((part, index) => <Fragment key={index}>{part}</Fragment>)
}

interface Found {
  node: ReactNode
  /** Where the text goes on. */
  end: number
}

function readSpecial (text: string, at: number, depth: number): Found | undefined {
  switch (text[at]) {
    case '\\': return /[!-/:-@[-`{-~]/.test(text[at + 1] ?? '') ? { node: text[at + 1], end: at + 2 } : undefined
    case '\n': return { node: <br />, end: at + 1 }
    case '`': return readCode(text, at)
    case '!': return text[at + 1] === '[' ? readLink(text, at + 1, depth) : undefined
    case '[': return readLink(text, at, depth)
    case 'h': return readAddress(text, at)
    default: return readMark(text, at, depth)
  }
}

function readCode (text: string, at: number): Found | undefined {
  const ticks = /^`+/.exec(text.slice(at, at + 20))![0]
  const end = text.indexOf(ticks, at + ticks.length)
  if (end === -1) return undefined
  const code = text.slice(at + ticks.length, end).replaceAll('\n', ' ')
  return { node: <code>{code.length > 2 && /^ .* $/.test(code) ? code.slice(1, -1) : code}</code>, end: end + ticks.length }
}

const LINK_TARGET = /^\]\(\s*<?([^\s<>()]*(?:\([^\s()]*\)[^\s<>()]*)*)>?(?:\s+"[^"]*")?\s*\)/

/** A link, or a picture: shown as a link too, since a page that loads it would tell its host who reads it. */
function readLink (text: string, at: number, depth: number): Found | undefined {
  const close = text.indexOf('](', at + 1)
  if (close === -1 || close - at > 1000) return undefined
  const target = LINK_TARGET.exec(text.slice(close, close + 2100))
  if (target === null) return undefined
  const label = text.slice(at + 1, close)
  return { node: anchor(target[1]!, inline(label === '' ? target[1]! : label, depth + 1)), end: close + target[0].length }
}

function readAddress (text: string, at: number): Found | undefined {
  const address = /^https?:\/\/[^\s<>"'`]*[^\s<>"'`.,:;!?)\]}*_~]/.exec(text.slice(at, at + 2000))?.[0]
  return address === undefined ? undefined : { node: anchor(address, address), end: at + address.length }
}

/** Only addresses of the web and of mail: `javascript:` and its like stay text. */
function anchor (href: string, content: ReactNode): ReactNode {
  return /^(https?:\/\/|mailto:)/i.test(href) ? <a href={href} target='_blank' rel='noopener noreferrer'>{content}</a> : content
}

function readMark (text: string, at: number, depth: number): Found | undefined {
  for (const [mark, wrap] of MARKS) {
    if (!text.startsWith(mark, at) || isSpace(text[at + mark.length])) continue
    // Underscores within a word are a name's own: snake_case.
    if (mark[0] === '_' && /\w/.test(text[at - 1] ?? '')) continue
    let end = text.indexOf(mark, at + mark.length + 1)
    while (end !== -1 && (isSpace(text[end - 1]) || (mark[0] === '_' && /\w/.test(text[end + mark.length] ?? '')) || (mark.length === 1 && text[end + 1] === mark))) end = text.indexOf(mark, end + (text[end + 1] === mark ? 2 : 1))
    if (end === -1) continue
    return { node: wrap(inline(text.slice(at + mark.length, end), depth + 1)), end: end + mark.length }
  }
  return undefined
}

const isSpace = (character: string | undefined) => character === undefined || /\s/.test(character)

import { ApiError } from './api.ts'

/** By the error's code; without one the gateway was not reached. */
const ADVICE: Record<string, string> = {
  none: 'Check your connection, then try again.',
  invalid_api_key: 'Enter the key again.',
  model_not_found: 'Another admin may have deleted it.'
}

/** What went wrong and what a person can do about it. */
export function wordsOf (error: unknown): string {
  if (!(error instanceof ApiError)) return `Something went wrong in this page: ${(error as Error).message}`
  const advice = error.retryAfter === null ? ADVICE[error.status === 0 ? 'none' : error.code ?? ''] : `Try again in ${count(error.retryAfter, 'second')}.`
  return advice === undefined ? error.message : `${error.message} ${advice}`
}

/**
 * The API's problems by field. A message tells each with its pointer (`/name must
 * not be empty. /provider is …`); `param` is the first one's.
 */
export function problemsOf (error: unknown, pointers: readonly string[]): Record<string, string> {
  if (!(error instanceof ApiError) || error.param === null) return {}
  const places = pointers.map(pointer => ({ pointer, at: ` ${error.message}`.indexOf(` ${pointer} `) }))
    .filter(({ at }) => at !== -1)
    .toSorted((a, b) => a.at - b.at)
  const problems = places.map(({ pointer, at }, index) => [pointer, sentence(error.message.slice(at + pointer.length + 1, places[index + 1]?.at))])
  const first = pointers.find(pointer => error.param === pointer || error.param?.startsWith(`${pointer}/`))
  return { ...(first !== undefined && { [first]: error.message }), ...Object.fromEntries(problems) }
}

/** For what an API calls its problems otherwise than people do. */
const PLAIN: Record<string, string> = { 'must be an integer.': 'Write a whole number in digits, such as 131072.' }

function sentence (part: string): string {
  const reason = part.trim()
  return PLAIN[reason] ?? `${reason.charAt(0).toUpperCase()}${reason.slice(1)}`
}

const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const UNITS = [['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]] as const

/** A time as people tell it: "5 minutes ago", "in 3 seconds". */
export function relative (iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1000
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1]
  return RELATIVE.format(Math.trunc(seconds / length), unit)
}

/** A past time as people tell it: "just now", "5 minutes ago". */
export function ago (iso: string): string {
  const words = relative(iso)
  return words === 'now' ? 'just now' : words
}

/** Seconds as people tell them: "42 seconds", "3 hours". */
export function duration (seconds: number): string {
  const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? ['second', 1]
  return count(Math.floor(seconds / length), unit)
}

const DATE = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' })

/** A date and time in full. */
export const fullDate = (iso: string): string => DATE.format(new Date(iso))

const NUMBER = new Intl.NumberFormat('en')

/** "1 model", "2,000 models". */
export const count = (number: number, noun: string): string => `${NUMBER.format(number)} ${noun}${number === 1 ? '' : 's'}`

/** A number of models in words. */
export const models = (number: number): string => count(number, 'model')

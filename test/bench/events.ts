/** Size of one event of the stream, blank line included. */
export const EVENT_BYTES = 120
/** Digits of the time stamp inside each event. */
export const STAMP_DIGITS = 16

const START = 'data: {"t":"'
/** Where the time stamp stands in an event. */
export const STAMP_AT = START.length
export const STAMP_MARK = Buffer.from(START)

/** An event with an empty stamp, in a shape that parsers of OpenAI chunks accept. */
export function eventTemplate (): string {
  const open = `${START}${'0'.repeat(STAMP_DIGITS)}","choices":[{"index":0,"delta":{"content":"`
  const close = '"}}]}\n\n'
  return open + 'x'.repeat(EVENT_BYTES - open.length - close.length) + close
}

/** The system's monotonic clock, the same in every process, in nanoseconds. */
export function nanoseconds (): string {
  return process.hrtime.bigint().toString().padStart(STAMP_DIGITS, '0').slice(-STAMP_DIGITS)
}

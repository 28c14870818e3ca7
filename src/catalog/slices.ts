import { setImmediate } from 'node:timers/promises'

/** The longest that a slice of work may hold up the event loop, milliseconds. */
const SLICE_MS = 5

/** Work that yields wherever it may pause. */
export type Steps<T> = Generator<void, T, void>

/** Does long work in slices, and lets what waits for the event loop come between. */
export async function inSlices<T> (steps: Steps<T>): Promise<T> {
  let end = performance.now() + SLICE_MS
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    if (performance.now() < end) continue
    await setImmediate()
    end = performance.now() + SLICE_MS
  }
}

/** Does the work in one go. */
export function atOnce<T> (steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

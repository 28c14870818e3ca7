import { setImmediate } from 'node:timers/promises'

/** Longest time for which a slice of work may block the event loop, milliseconds. */
const SLICE_MS = 5

/** Work that yields wherever it may pause. */
export type Steps<T> = Generator<void, T, void>

/** Does long work in slices, with turns of the event loop between them. */
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

/** Does the work without a pause. */
export function atOnce<T> (steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

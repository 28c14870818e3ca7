interface Slot {
  name: string
  count: number
  /** Its index among the slots of the same count. */
  index: number
  /** When the slot's window began, milliseconds. */
  readonly since: number
}

/** The count of a name in its window, and the remaining time of the window (milliseconds). */
export interface Counted {
  readonly count: number
  readonly rest: number
}

/**
 * Counts events by name in bounded memory. Each name has a window that begins with
 * its first event. No count is ever too low, however many other names come. If all
 * slots are taken, a new name takes over the slot with the lowest
 * count, with its count and window ("Space-Saving": Metwally, Agrawal,
 * El Abbadi, 2005). So a count is too high by at most N / capacity, where
 * N is the number of all events within one window.
 */
export class WindowCounts {
  readonly #window: number
  readonly #capacity: number
  readonly #byName = new Map<string, Slot>()
  /** In the order of their windows' ends. */
  #byAge: Slot[] = []
  /** Index of the first slot in #byAge whose window has not ended. */
  #oldest = 0
  // Arrays, because a Set whose first item is removed repeatedly iterates over the gaps.
  readonly #byCount = new Map<number, Slot[]>()
  /** No slot has a lower count. */
  #lowest = 1

  /**
   * @param window milliseconds
   * @param capacity names that are counted at the same time
   */
  constructor (window: number, capacity: number) {
    this.#window = window
    this.#capacity = capacity
  }

  /** The number of slots in use. */
  get size (): number {
    return this.#byName.size
  }

  /** Counts one event. @param now milliseconds, monotonic */
  add (name: string, now: number): Counted {
    this.#dropEnded(now)
    const slot = this.#byName.get(name) ?? this.#slotFor(name, now)
    this.#leaveCount(slot)
    slot.count++
    this.#joinCount(slot)
    return { count: slot.count, rest: this.#window - (now - slot.since) }
  }

  #slotFor (name: string, now: number): Slot {
    const slot = this.#byName.size < this.#capacity ? this.#newSlot(name, now) : this.#lowestSlot()
    this.#byName.delete(slot.name)
    slot.name = name
    this.#byName.set(name, slot)
    return slot
  }

  #newSlot (name: string, now: number): Slot {
    const slot = { name, count: 0, index: 0, since: now }
    this.#byAge.push(slot)
    this.#joinCount(slot)
    this.#lowest = 1
    return slot
  }

  #lowestSlot (): Slot {
    while (!this.#byCount.has(this.#lowest)) this.#lowest++
    return this.#byCount.get(this.#lowest)!.at(-1)!
  }

  #dropEnded (now: number): void {
    for (let slot = this.#byAge[this.#oldest]; slot !== undefined && now - slot.since >= this.#window; slot = this.#byAge[++this.#oldest]) {
      this.#byName.delete(slot.name)
      this.#leaveCount(slot)
    }
    if (this.#oldest * 2 > this.#byAge.length) {
      this.#byAge = this.#byAge.slice(this.#oldest)
      this.#oldest = 0
    }
  }

  #joinCount (slot: Slot): void {
    const same = this.#byCount.get(slot.count)
    slot.index = same?.length ?? 0
    if (same === undefined) this.#byCount.set(slot.count, [slot])
    else same.push(slot)
  }

  #leaveCount (slot: Slot): void {
    const same = this.#byCount.get(slot.count)!
    const last = same.pop()!
    if (last !== slot) {
      same[slot.index] = last
      last.index = slot.index
    }
    if (same.length === 0) this.#byCount.delete(slot.count)
  }
}

interface Slot {
  name: string
  count: number
  /** When the slot's window began, milliseconds. */
  readonly since: number
}

/** What was counted for a name in its window so far, and how long the window lasts yet (milliseconds). */
export interface Counted {
  readonly count: number
  readonly rest: number
}

/**
 * Counts events by name, each in a window that begins with the first of them, in
 * bounded memory. No name is ever counted too low, whatever number of others
 * come. Where all slots are taken, a new name takes over the slot with the lowest
 * count, and that count and window with it ("Space-Saving": Metwally, Agrawal,
 * El Abbadi, 2005). So a name is counted too high by at most N / capacity, where
 * N is the number of all events within one window.
 */
export class WindowCounts {
  readonly #window: number
  readonly #capacity: number
  readonly #byName = new Map<string, Slot>()
  /** In the order in which their windows end. */
  readonly #byAge = new Set<Slot>()
  readonly #byCount = new Map<number, Set<Slot>>()
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

  /** Counts one event. `now` in milliseconds never falls. */
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
    const slot = { name, count: 0, since: now }
    this.#byAge.add(slot)
    this.#lowest = 1
    return slot
  }

  #lowestSlot (): Slot {
    while (!this.#byCount.has(this.#lowest)) this.#lowest++
    const [slot] = this.#byCount.get(this.#lowest)!
    return slot!
  }

  #dropEnded (now: number): void {
    for (const slot of this.#byAge) {
      if (slot.since + this.#window > now) return
      this.#byAge.delete(slot)
      this.#byName.delete(slot.name)
      this.#leaveCount(slot)
    }
  }

  #joinCount (slot: Slot): void {
    const same = this.#byCount.get(slot.count)
    if (same === undefined) this.#byCount.set(slot.count, new Set([slot]))
    else same.add(slot)
  }

  #leaveCount (slot: Slot): void {
    const same = this.#byCount.get(slot.count)
    if (same?.delete(slot) === true && same.size === 0) this.#byCount.delete(slot.count)
  }
}

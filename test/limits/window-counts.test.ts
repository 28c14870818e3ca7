// Counts in bounded memory: whoever floods the table with other names does not
// get his own count forgotten, and harms nobody else but in proportion to what
// he sends.
import fc from 'fast-check'
import t from 'tap'
import { WindowCounts } from '../../src/limits/window-counts.ts'

t.test('a window begins with its first event and ends as a whole', async t => {
  const counts = new WindowCounts(1000, 10)
  t.same(counts.add('a', 0), { count: 1, rest: 1000 })
  t.same(counts.add('a', 600), { count: 2, rest: 400 })
  t.same(counts.add('b', 600), { count: 1, rest: 1000 })
  t.same(counts.add('a', 999), { count: 3, rest: 1 })
  t.same(counts.add('a', 1000), { count: 1, rest: 1000 })
  t.same(counts.add('b', 1000), { count: 2, rest: 600 })
})

t.test('a count outlives any number of others', async t => {
  const counts = new WindowCounts(60_000, 100)
  for (let i = 0; i < 10; i++) counts.add('guesser', i)
  for (let i = 0; i < 900; i++) counts.add(`other ${i}`, 100)
  t.equal(counts.size, 100)
  t.equal(counts.add('guesser', 200).count, 11)
})

t.test('names that take turns, one more than there are slots, are each counted', async t => {
  const counts = new WindowCounts(60_000, 100)
  const last = new Map<string, number>()
  for (let i = 0; i < 101 * 10; i++) last.set(`name ${i % 101}`, counts.add(`name ${i % 101}`, i).count)
  for (const [name, count] of last) t.ok(count >= 10, `${name}: ${count}`)
})

t.test('never too low, too high at most by a slot\'s share of all, and within its memory, for any sequence', async () => {
  const WINDOW = 100
  const CAPACITY = 4
  const events = fc.array(fc.tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 30 })), { maxLength: 200 })
  fc.assert(fc.property(events, sequence => {
    const counts = new WindowCounts(WINDOW, CAPACITY)
    const log: { name: string, at: number }[] = []
    let now = 0
    for (const [id, pause] of sequence) {
      now += pause
      const name = String(id)
      log.push({ name, at: now })
      const { count, rest } = counts.add(name, now)
      // The window of the name's slot: what the name itself did in it is the least that must be counted since it took the slot.
      const began = now + rest - WINDOW
      const all = log.filter(({ at }) => at > now - WINDOW).length
      const own = log.filter(event => event.name === name && event.at >= began).length
      if (count > own + all / CAPACITY || rest <= 0 || rest > WINDOW || counts.size > CAPACITY) return false
      if (new Set(log.map(event => event.name)).size <= CAPACITY && count !== own) return false
    }
    return true
  }), { numRuns: 500 })
})

t.test('while no window ends, no name is ever counted too low', async () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 300 }), names => {
    const counts = new WindowCounts(1000, 4)
    const exact = new Map<number, number>()
    return names.every(name => {
      exact.set(name, (exact.get(name) ?? 0) + 1)
      return counts.add(String(name), 1).count >= exact.get(name)!
    })
  }), { numRuns: 500 })
})

t.test('what has ended makes room', async t => {
  const counts = new WindowCounts(1000, 100)
  for (let i = 0; i < 100; i++) counts.add(`name ${i}`, i)
  counts.add('late', 1050)
  t.equal(counts.size, 50)
})

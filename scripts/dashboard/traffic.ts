import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../test/random.ts'

/** The models that the stand-in lists, each with its context length, its share of the chats and its speed. */
export const MODELS = {
  'gpt-oss-120b': { context: 131_072, share: 0.5, firstToken: 350, tokensPerSecond: 45 },
  'qwen3-32b': { context: 32_768, share: 0.3, firstToken: 180, tokensPerSecond: 70 },
  'llama-3.3-70b': { context: 131_072, share: 0.2, firstToken: 700, tokensPerSecond: 30 }
} as const

type ModelId = keyof typeof MODELS

/** Most requests that the gateway sends on at once; {@link BURST} is more than that. */
export const SLOTS = 24
/** Chats in a second, on the average and in the burst. */
const RATE = 6
const BURST = 20
/** Where the burst is and where the service has a bad time, as parts of the whole time. */
const BURST_TIME = [0.35, 0.5] as const
const BAD_TIME = [0.7, 0.8] as const

/** Mixed requests at a gateway, the same ones each time: chats of three models, embeddings, lists, errors, and clients that leave. */
export async function driveTraffic (gateway: string, seconds: number): Promise<void> {
  const random = seededRandom(1)
  const running = new Set<Promise<unknown>>()
  const begin = (request: Promise<unknown>) => {
    // A client that leaves, and a stream that breaks, reject.
    const settled = request.catch(() => {}).finally(() => running.delete(settled))
    running.add(settled)
  }
  const startedAt = performance.now()
  for (let part = 0; part < 1; part = (performance.now() - startedAt) / 1000 / seconds) {
    const isBurst = within(part, BURST_TIME)
    begin(chat(gateway, random, within(part, BAD_TIME)))
    if (random() < 0.3) begin(post(gateway, 'embeddings', { model: 'qwen3-32b', input: 'a text to embed' }))
    if (random() < 0.2) begin(askForList(gateway))
    if (random() < 0.03) begin(fetch(`${gateway}/v1/models/no-such-model`))
    const rate = isBurst ? BURST : RATE * (1 + 0.5 * Math.sin(part * 4 * Math.PI))
    // The pauses between independent requests are distributed exponentially.
    await sleep(-Math.log(1 - random()) * 1000 / rate)
  }
  await Promise.all(running)
}

function within (part: number, [from, to]: readonly [from: number, to: number]): boolean {
  return part >= from && part < to
}

async function chat (gateway: string, random: () => number, isBad: boolean): Promise<void> {
  const model = pickModel(random())
  const { firstToken, tokensPerSecond } = MODELS[model]
  const steering = {
    'x-stand-in-first-token-delay': String(Math.round(firstToken * (0.6 + random()))),
    'x-stand-in-tokens-per-second': String(tokensPerSecond),
    'x-stand-in-tokens': String(Math.round(20 + 80 * random())),
    ...mishap(random(), isBad ? 5 : 1)
  }
  // A long document is stored on disk while it waits.
  const content = random() < 0.05 ? 'x'.repeat(400_000) : 'word '.repeat(20 + 200 * random())
  const usage = random() < 0.85 && { stream_options: { include_usage: true } }
  const signal = random() < 0.06 ? AbortSignal.timeout(Math.round(2500 * random())) : undefined
  await post(gateway, 'chat/completions', { model, stream: true, ...usage, messages: [{ role: 'user', content }] }, steering, signal)
}

function pickModel (random: number): ModelId {
  let sum = 0
  return (Object.keys(MODELS) as ModelId[]).find(model => random < (sum += MODELS[model].share)) ?? 'gpt-oss-120b'
}

/** How the service fails, if it does. */
function mishap (random: number, often: number): Record<string, string> {
  if (random < 0.01 * often) return { 'x-stand-in-break-after': '8' }
  if (random < 0.025 * often) return { 'x-stand-in-status': '500' }
  if (random < 0.03 * often) return { 'x-stand-in-status': '429' }
  return {}
}

async function post (gateway: string, endpoint: string, body: object, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<void> {
  const answer = await fetch(`${gateway}/v1/${endpoint}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body), ...(signal && { signal }) })
  await answer.text()
}

async function askForList (gateway: string): Promise<void> {
  const list = await fetch(`${gateway}/v1/models`)
  await list.text()
  await (await fetch(`${gateway}/v1/models`, { headers: { 'if-none-match': list.headers.get('etag')! } })).text()
}

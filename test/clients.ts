import { startFakeInference, type FakeInference, type StandInOptions } from './fake-inference.ts'
import { startGateway, type TestGateway } from './helper.ts'

export interface Pair {
  readonly gateway: TestGateway
  readonly standIn: FakeInference
  /** The base URL for OpenAI clients. */
  readonly baseURL: string
}

/** A gateway with the inference stand-in behind it, both ended with the test. */
export async function startPair (t: { teardown (end: () => unknown): unknown }, settings: Record<string, string> = {}, options: StandInOptions = {}): Promise<Pair> {
  const standIn = await startFakeInference(options)
  t.teardown(() => standIn.close())
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: standIn.url, ...settings })
  return { gateway, standIn, baseURL: `${gateway.url}/openai/v1` }
}

/** The bytes of a PNG that any decoder takes begin so. */
export const PNG_SIGNATURE = '89504e470d0a1a0a'

/** Headers for an answer that goes on for longer than any test, at 100 tokens a second. */
export const ENDLESS = { 'x-stand-in-tokens': '100000', 'x-stand-in-tokens-per-second': '100' }

/** Headers for an answer that breaks off after three tokens, `You asked the`. */
export const BROKEN = { 'x-stand-in-break-after': '3' }

/** Waits until the inference service sees that an endless answer's reader is gone. How soon is shown in test/proxy/cancellation.test.ts. */
export async function endsUpstream (t: { ok (value: boolean): unknown }, standIn: FakeInference): Promise<void> {
  const { aborted, answered } = await standIn.waitFor(request => request.aborted)
  t.ok(aborted && !answered)
}

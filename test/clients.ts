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

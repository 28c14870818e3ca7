/**
 * `npm run demo`: the gateway with the inference stand-in behind it. With INFERENCE_SERVICE_URL set, that
 * service is used and no stand-in is started.
 */
import { serve } from '../src/server.ts'
import { startFakeInference } from '../test/fake-inference.ts'

/** A speed at which a person can see an answer being streamed. */
const PACE = { firstTokenDelay: 300, tokensPerSecond: 20 }

async function demo (): Promise<void> {
  const given = process.env.INFERENCE_SERVICE_URL?.trim()
  const standIn = given ? undefined : await startFakeInference(PACE)
  const service = given || standIn!.url
  const address = await serve({ LOG_LEVEL: 'warn', ...process.env, INFERENCE_SERVICE_URL: service })
  const { ok: hasStudio } = await fetch(`${address}/studio`)
  const studio = hasStudio ? `\n  Studio          ${address}/studio` : ''
  console.log(`${studio}
  API             ${address}/v1/models
  OpenAI clients  ${address}/openai/v1  (base URL, any API key)
  Docs page       ${address}/docs
  ${standIn ? `Stand-in        ${service}  (no AI: it says back what it was asked)` : `Inference       ${service}`}

  Try             curl -N ${address}/v1/chat/completions -H 'content-type: application/json' -d '{"stream":true,"messages":[{"role":"user","content":"Hello"}]}'
  Stop            Ctrl-C
`)
}

if (import.meta.main) await demo()

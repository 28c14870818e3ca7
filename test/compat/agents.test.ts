// The `@openai/agents` package, as published, which speaks the Responses API,
// against gateway and stand-in.
import { Agent, OpenAIProvider, Runner } from '@openai/agents'
import OpenAI from 'openai'
import { test, type Test } from 'tap'
import { BROKEN, ENDLESS, endsUpstream, startPair } from '../clients.ts'

async function start (t: Test, defaultHeaders: Record<string, string> = {}) {
  const pair = await startPair(t)
  const openAIClient = new OpenAI({ baseURL: pair.baseURL, apiKey: 'a-key', maxRetries: 0, defaultHeaders })
  const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient, useResponses: true }), tracingDisabled: true })
  return { ...pair, openAIClient, runner, agent: new Agent({ name: 'A', instructions: 'Be brief.', model: 'gpt-x' }) }
}

test('lists the models, with the client that the provider is given', async t => {
  const { openAIClient } = await start(t)
  t.ok((await openAIClient.models.list()).data.some(({ id }) => id === 'gemini-1.5-flash'))
})

test('a run', async t => {
  const { runner, agent, standIn } = await start(t)
  const { finalOutput, rawResponses } = await runner.run(agent, 'Hello there')
  t.match(finalOutput, /model gpt-x\. .*Hello there$/)
  t.ok(rawResponses[0]!.usage.outputTokens > 0)
  t.strictSame(standIn.requests.map(({ url }) => url), ['/v1/responses'])
})

test('a streamed run', async t => {
  const { runner, agent } = await start(t)
  const result = await runner.run(agent, 'Hello there', { stream: true })
  const pieces: string[] = []
  for await (const piece of result.toTextStream()) pieces.push(piece)
  await result.completed
  t.ok(pieces.length > 10)
  t.match(pieces.join(''), /^You asked the stand-in for model gpt-x\. .*Hello there$/)
  t.equal(result.finalOutput, pieces.join(''))
})

test('a run that is stopped in mid-stream stops the inference service', async t => {
  const { runner, agent, standIn } = await start(t, ENDLESS)
  const stop = new AbortController()
  const result = await runner.run(agent, 'Hello there', { stream: true, signal: stop.signal })
  for await (const piece of result.toTextStream()) {
    if (piece !== '') stop.abort()
  }
  await endsUpstream(t, standIn)
})

test('errors: the inference service\'s own, the gateway\'s, and a stream that breaks', async t => {
  const limited = await start(t, { 'x-stand-in-status': '429' })
  await t.rejects(limited.runner.run(limited.agent, 'Hello'), { status: 429, message: /told to answer 429/ })
  await limited.standIn.close()
  await t.rejects(limited.runner.run(limited.agent, 'Hello'), { status: 502, code: 'upstream_unreachable' })
  const broken = await start(t, BROKEN)
  const result = await broken.runner.run(broken.agent, 'Hello', { stream: true })
  let text = ''
  await t.rejects(async () => {
    for await (const piece of result.toTextStream()) text += piece
    await result.completed
  }, { message: /inference service/ })
  t.equal(text, 'You asked the')
})

// The `eventsource` package, as published: an EventSource as browsers have one.
// It sends GETs, and inference is a POST, so it is given a `fetch` that adds
// method and body, as its documentation shows. What it then reads are the
// gateway's events, by the standard's own rules. (It lists no models: a list is
// no event stream.)
import { EventSource, type ErrorEvent } from 'eventsource'
import { test, type Test } from 'tap'
import { BROKEN, ENDLESS, endsUpstream, startPair } from '../clients.ts'
import { eventually } from '../helper.ts'

async function start (t: Test, headers: Record<string, string> = {}, path = 'chat/completions') {
  const pair = await startPair(t)
  const body = JSON.stringify({ stream: true, messages: [{ role: 'user', content: 'Hello there' }] })
  const source = new EventSource(`${pair.gateway.url}/v1/${path}`, {
    fetch: (url, init) => fetch(url, { ...init, method: 'POST', headers: { ...init.headers, ...headers, 'content-type': 'application/json' }, body })
  })
  t.teardown(() => source.close())
  const data: string[] = []
  const errors: ErrorEvent[] = []
  source.addEventListener('message', event => {
    if (event.data === '[DONE]') source.close()
    data.push(event.data)
  })
  source.addEventListener('error', event => {
    // It would connect again, and so ask again.
    source.close()
    errors.push(event)
  })
  return { ...pair, source, data, errors }
}

const textOf = (data: string[]) => data.filter(text => text.startsWith('{')).map(text => JSON.parse(text).choices?.[0]?.delta.content ?? '').join('')

test('a streamed chat, to its end', async t => {
  const { data, errors, standIn } = await start(t)
  await eventually(() => data.at(-1) === '[DONE]', 5000, () => data.join())
  t.match(textOf(data), /^You asked the stand-in for model gemini-1\.5-flash\. .*Hello there$/)
  t.strictSame(errors, [])
  t.equal(standIn.requests.length, 1)
})

test('a source that is closed in mid-stream stops the inference service', async t => {
  const { data, source, standIn } = await start(t, ENDLESS)
  await eventually(() => textOf(data).includes('asked'), 5000, () => data.join())
  source.close()
  await endsUpstream(t, standIn)
})

test('an error answer: the source says its status', async t => {
  for (const [headers, path, code] of [[{ 'x-stand-in-status': '429' }, 'chat/completions', 429], [{}, 'nothing', 404]] as const) {
    const { data, errors } = await start(t, headers, path)
    await eventually(() => errors.length > 0)
    t.equal(errors[0]!.code, code)
    t.strictSame(data, [])
  }
})

test('a stream that breaks: an event with the error, then the source\'s own, and no [DONE]', async t => {
  const { data, errors } = await start(t, BROKEN)
  await eventually(() => errors.length > 0)
  t.equal(textOf(data), 'You asked the')
  t.match(JSON.parse(data.at(-1)!), { error: { code: 'upstream_failed', message: /broke off/ } })
})

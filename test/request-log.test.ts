// The request log's lines stand among pino's own and are read by the same tools.
import { hostname } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import pino from 'pino'
import t from 'tap'
import { blocksOf, RequestLog } from '../plugins/request-log.ts'

function collected (level: string) {
  const written: string[] = []
  return { written, log: new RequestLog({ write: text => { written.push(text) } }, level) }
}

t.test('a line has what pino writes of level, time and process, and escapes what clients send', async t => {
  const { written, log } = collected('info')
  const nasty = 'a"b\\c\nd\u2028\ud800'
  log.add('info', { reqId: nasty, model: nasty, status: undefined, msg: 'proxied' })
  t.same(written, [], 'not before the turn ends')
  await setImmediate()
  let own = ''
  pino({ level: 'info' }, { write: line => { own = line } }).info({ reqId: nasty, model: nasty }, 'proxied')
  const [line, rest] = written.join('').split('\n')
  t.equal(rest, '')
  const { time, ...fields } = JSON.parse(line!)
  const { time: pinoTime, ...pinoFields } = JSON.parse(own)
  t.same(fields, { ...pinoFields, model: nasty, reqId: nasty })
  t.same(Object.keys(JSON.parse(line!)).slice(0, 5), ['level', 'time', 'pid', 'hostname', 'reqId'])
  t.match(fields, { level: 30, pid: process.pid, hostname: hostname() })
  t.ok(Math.abs(time - pinoTime) < 5000)
})

t.test('the lines of a turn are one write, in their order', async t => {
  const { written, log } = collected('info')
  for (const msg of ['one', 'two', 'three']) log.add('info', { reqId: '1', msg })
  await setImmediate()
  t.equal(written.length, 1)
  t.same(written[0]!.trimEnd().split('\n').map(line => JSON.parse(line).msg), ['one', 'two', 'three'])
})

t.test('nothing below the level is written', async t => {
  for (const [level, expected] of Object.entries({ debug: ['info', 'warn'], info: ['info', 'warn'], warn: ['warn'], error: [], silent: [] })) {
    const { written, log } = collected(level)
    log.add('info', { reqId: '1', msg: 'info' })
    log.add('warn', { reqId: '1', msg: 'warn' })
    await setImmediate()
    t.same(written.join('').split('\n').filter(Boolean).map(line => JSON.parse(line).msg), expected, level)
  }
})

t.test('blocks hold whole lines and no more bytes than the limit, but for a line that is longer', async t => {
  const cases: [lines: string, expected: string[]][] = [
    ['', []],
    ['one\ntwo\n', ['one\ntwo\n']],
    ['one\ntwo\nthree\n', ['one\ntwo\n', 'three\n']],
    ['ééé\nüü\n', ['ééé\n', 'üü\n']],
    ['longer than that\na\nlonger again\nb\n', ['longer than that\n', 'a\n', 'longer again\n', 'b\n']]
  ]
  for (const [lines, expected] of cases) t.same(blocksOf(lines, 8).map(String), expected, lines)
})

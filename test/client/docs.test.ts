// docs/frontend.md: its code compiles as pasted, and its chat streams and stops.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { test } from 'tap'
import ts from 'typescript'
import { ENDLESS, endsUpstream, startPair } from '../clients.ts'

const page = readFileSync(new URL('../../docs/frontend.md', import.meta.url), 'utf8')
const blocks = [...page.matchAll(/^```(tsx?)\n([^]*?)^```$/gm)].map(([, extension, code], i) => ({ name: `block${i}.${extension}`, code: code! }))

test('the code compiles, and the chat streams and stops', async t => {
  t.equal(blocks.length, 6)
  const directory = t.testdir(Object.fromEntries(blocks.map(({ name, code }) => [name, code])))
  const program = ts.createProgram(blocks.map(({ name }) => `${directory}/${name}`), {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    jsx: ts.JsxEmit.ReactJSX,
    strict: true,
    skipLibCheck: true,
    outDir: `${directory}/built`
  })
  t.strictSame(ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')), [])

  const { gateway, standIn } = await startPair(t, {}, { tokens: Number(ENDLESS['x-stand-in-tokens']), tokensPerSecond: 100 })
  Object.assign(globalThis, { location: { origin: gateway.url } })
  program.emit()
  const chat = blocks.find(({ code }) => code.includes('streamChat'))!.name.replace('.ts', '.js')
  const { streamChat } = await import(pathToFileURL(`${directory}/built/${chat}`).href)
  const stop = new AbortController()
  let text = ''
  await streamChat([{ role: 'user', content: 'Hello' }], (piece: string) => {
    text += piece
    if (text === 'You asked the') stop.abort()
  }, stop.signal).catch((error: Error) => t.match(error.name, /Abort/))
  t.match(text, /^You asked the/)
  await endsUpstream(t, standIn)
})

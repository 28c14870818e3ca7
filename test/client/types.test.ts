// The client's types follow the gateway's schemas, and what is built is what the
// sources say. `npm run types` shows the first on the tree; here the compiler is
// also given types that differ, so that the check is seen failing.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TYPES = `${ROOT}client/src/types.ts`

function configOf (path: string): ts.ParsedCommandLine {
  return ts.getParsedCommandLineOfConfigFile(ROOT + path, {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} })!
}

const { options } = configOf('tsconfig.json')
const known = new Map<string, ts.SourceFile | undefined>()

/** What the compiler says of files, where `types.ts` has another text. */
function check (files: string[], overrides: ts.CompilerOptions = {}, types = readFileSync(TYPES, 'utf8')): string[] {
  const all = { ...options, ...overrides }
  const host = ts.createCompilerHost(all)
  const read = host.getSourceFile
  host.getSourceFile = (name, target, ...rest) => {
    if (name === TYPES) return ts.createSourceFile(name, types, target)
    const key = `${name} ${all.module}`
    if (!known.has(key)) known.set(key, read(name, target, ...rest))
    return known.get(key)
  }
  const program = ts.createProgram(files.map(file => ROOT + file), all, host)
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

test('the types are those of the schemas, and a difference is noticed', async t => {
  const drift = ['test/client/drift.ts']
  t.strictSame(check(drift), [])
  const types = readFileSync(TYPES, 'utf8')
  for (const [pair, from, to] of [
    ['ChatModel', 'contextLength: number', 'contextLength: string'],
    ['MediaModel', '  provider?: string\n}', '}'],
    ['MediaModel', '  provider?: string\n}', '  provider: string\n}'],
    ['Capabilities', '  tools?: boolean\n', '  tools?: boolean\n  vision?: boolean\n'],
    ['Model', '  createdAt?: string\n', ''],
    ['ModelType', '\'chat\' | \'image\'', '\'chat\' | \'video\' | \'image\'']
  ] as const) {
    const other = types.replace(from, to)
    t.not(other, types, from)
    t.match(check(drift, {}, other).join(), /'true' is not assignable to type 'false'/, `${pair}: ${from}`)
  }
})

test('applications compile against the built package, in Node\'s and in bundlers\' way', async t => {
  t.strictSame(check(['test/client/uses.ts']), [])
  t.strictSame(check(['test/client/uses.ts'], { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'] }), [])
})

test('what is built is what the sources say', async t => {
  const { fileNames, options } = configOf('client/tsconfig.json')
  t.ok(fileNames.length > 0)
  // One file alone does not say that its package is of type "module".
  const esm = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, newLine: ts.NewLineKind.LineFeed }
  for (const name of fileNames) {
    const { outputText } = ts.transpileModule(readFileSync(name, 'utf8'), { compilerOptions: { ...options, ...esm }, fileName: name })
    const built = name.replace('/src/', '/dist/').replace(/\.ts$/, '.js')
    t.equal(readFileSync(built, 'utf8'), outputText, `${built}: run \`npm run build\``)
  }
})

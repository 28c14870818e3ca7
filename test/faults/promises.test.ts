// docs/reliability.md names a test for each promise: they are there, and none is left out.
import t from 'tap'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const page = readFileSync('docs/reliability.md', 'utf8')
const named = new Set([...page.matchAll(/\]\(\.\.\/(test\/\S+)\)/g)].map(match => match[1]!))
for (const file of named) t.ok(existsSync(file), file)
for (const file of readdirSync('test/faults')) {
  if (file.endsWith('.test.ts') && file !== 'promises.test.ts') t.ok(named.has(`test/faults/${file}`), `${file} is named`)
}

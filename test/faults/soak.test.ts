// A short run of the soak (`npm run soak`): random traffic, aborts and failures at
// once, where the tables have them one at a time.
import t from 'tap'
import { execFile } from 'node:child_process'
import { nodeCommand } from '../spawn.ts'

t.test('two seconds', async t => {
  const { code, out } = await new Promise<{ code: number, out: string }>(resolve => {
    execFile(...nodeCommand(['scripts/soak.ts', '--seconds', '2']), (error, out) => resolve({ code: Number(error?.code ?? 0), out }))
  })
  t.match(out, /^soak: 2 s, seed \d+$/m)
  t.match(out, /without an owner: 0$/m)
  t.match(out, /^answers that were not right: 0$/m, out)
  t.equal(code, 0, out)
})

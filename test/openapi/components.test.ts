// Naming schemas by their titles: nested ones too, never data that only looks
// like a schema, and never two schemas under one name.
import { test } from 'tap'
import { nameSchemas, type Components } from '../../src/openapi/components.ts'

const name = (part: unknown) => {
  const components: Components = {}
  return { part: nameSchemas(part, components), components }
}

test('a titled schema becomes a reference, nested ones too', async t => {
  const inner = { title: 'Inner', type: 'string' }
  t.strictSame(name({ schema: { title: 'Outer', type: 'object', properties: { a: inner, b: { type: 'array', items: inner } } } }), {
    part: { schema: { $ref: '#/components/schemas/Outer' } },
    components: {
      Inner: { type: 'string' },
      Outer: { type: 'object', properties: { a: { $ref: '#/components/schemas/Inner' }, b: { type: 'array', items: { $ref: '#/components/schemas/Inner' } } } }
    }
  })
})

test('a field that is called title, and titles in data, are left alone', async t => {
  const part = { type: 'object', properties: { title: { type: 'string' } }, example: { title: 'A' }, examples: [{ title: 'A' }], default: { title: 'A' }, enum: [{ title: 'A' }], const: { title: 'A' } }
  t.strictSame(name(part), { part, components: {} })
})

test('uses of one schema may differ in what describes the use', async t => {
  t.strictSame(name([{ title: 'A', type: 'string' }, { title: 'A', type: 'string', description: 'Text', examples: ['a'] }, { title: 'A', type: 'string' }]).components, { A: { type: 'string', description: 'Text', examples: ['a'] } })
})

test('two schemas with one title are an error', async t => {
  t.throws(() => name([{ title: 'A', type: 'string' }, { title: 'A', type: 'integer' }]), { message: 'two different schemas have the title A' })
})

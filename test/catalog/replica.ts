// One of several gateways on a database, as a process of its own: tells its
// address, and makes the edits that it is sent.
import Fastify from 'fastify'
import catalog from '../../plugins/catalog.ts'
import { loadConfig } from '../../src/config.ts'

const app = Fastify()
await app.register(catalog, { config: loadConfig(process.env) })
const url = await app.listen({ port: 0, host: '127.0.0.1' })
process.on('message', async (id: string) => {
  // The test cuts connections, and may do so in mid-change, which fails.
  const add = async (): Promise<unknown> => await app.modelStore?.change('replica', records => records.some(record => record.id === id) ? records : [...records, { id, name: id, description: '', type: 'chat', isActive: true }]).catch(add)
  await add()
  process.send?.({ done: id })
})
process.once('disconnect', () => process.exit())
process.send?.({ url })

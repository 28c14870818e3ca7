// A process of its own that starts on the database named and ends.
import { staticModels } from '../../src/catalog/static.ts'
import { openStore } from '../../src/store/store.ts'

const store = await openStore(process.argv[2] as string)
await store.prepare(staticModels(undefined))
await store.close()

/** `npm run openapi`: writes openapi/openapi.json anew; a test compares it. */
import { writeFileSync } from 'node:fs'
import { buildApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'

/** Where the committed document is. */
export const OPENAPI_FILE = new URL('../openapi/openapi.json', import.meta.url)

/** The document of a gateway with every route. The admin routes need an admin key. */
export async function openapiDocument (): Promise<string> {
  const app = await buildApp(loadConfig({ ADMIN_API_KEY: 'only-to-show-the-routes', LOG_LEVEL: 'silent' }))
  await app.ready()
  const document = JSON.stringify(app.swagger(), null, 2)
  await app.close()
  return document + '\n'
}

if (import.meta.main) writeFileSync(OPENAPI_FILE, await openapiDocument())

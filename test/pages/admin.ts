import { join } from 'node:path'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import { openPage, type WatchedPage } from '../browser.ts'
import { tempDir } from '../catalog/helper.ts'
import { startGateway, type TestGateway } from '../helper.ts'

/** The admin key of these tests. */
export const KEY = 'the-admin-key-of-the-tests'

export interface AdminGateway extends TestGateway {
  /** The admin API as another admin uses it: the answer's body. */
  api (method: string, path: string, body?: unknown): Promise<any>
}

/** A gateway with its catalog in a database of its own. */
export async function startAdmin (t: Test, settings: Record<string, string> = {}): Promise<AdminGateway> {
  const folder = tempDir(t)
  const gateway = await startGateway(t, {
    CATALOG_SOURCE: 'database',
    DATABASE_URL: `sqlite:${join(folder, 'catalog.db')}`,
    CATALOG_SNAPSHOT_FILE: join(folder, 'snapshot.json'),
    ADMIN_API_KEY: KEY,
    ...settings
  })
  return { ...gateway, api }

  async function api (method: string, path: string, body?: unknown): Promise<any> {
    const response = await fetch(`${gateway.url}/admin/${path}`, {
      method,
      headers: { authorization: `Bearer ${KEY}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response.status === 204 ? undefined : await response.json()
  }
}

/** The same, with a browser on its admin page. */
export async function openAdmin (t: Test, settings: Record<string, string> = {}): Promise<AdminGateway & WatchedPage> {
  const gateway = await startAdmin(t, settings)
  const watched = await openPage(t, [`127.0.0.1:${gateway.port}`])
  watched.page.setDefaultTimeout(10_000)
  await watched.page.goto(`${gateway.url}/admin`)
  return { ...gateway, ...watched }
}

/** Gives the key, as a person does. */
export async function signIn (page: Page, key = KEY): Promise<void> {
  await page.getByLabel('Admin key').fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** The names of the models in the table, in order. */
export async function shownNames (page: Page): Promise<string[]> {
  return await page.getByRole('table', { name: 'Models' }).getByRole('rowheader').getByRole('button').allTextContents()
}

/** Chromium's words for an answer with an error status. */
export const failedLoad = (status: string): string => `Failed to load resource: the server responded with a status of ${status}`

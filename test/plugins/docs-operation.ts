import type { Page } from 'playwright-core'

/** Opens an operation, fills it in, sends it, and returns the page's report of the answer. */
export async function tryOut (page: Page, id: string, fill: (operation: ReturnType<Page['locator']>) => Promise<void> = async () => {}) {
  const operation = page.locator(`.opblock[id$="-${id}"]`)
  await operation.locator('.opblock-summary-control').click()
  await operation.locator('.try-out__btn').click()
  await fill(operation)
  await operation.locator('.execute').click()
  const answer = operation.locator('.live-responses-table')
  await answer.waitFor()
  return { answer: await answer.innerText(), curl: await operation.locator('.curl').first().innerText() }
}

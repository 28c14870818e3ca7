import axe from 'axe-core'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'

/** Fails where axe finds something in what the page shows, in light or in dark. */
export async function isAccessible (t: Test, page: Page, view: string): Promise<void> {
  await page.evaluate(axe.source)
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    // The colours as they are drawn, not those of a transition.
    await page.evaluate('new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))')
    // Between the two only colours differ.
    const rules = colorScheme === 'dark' ? ', runOnly: ["color-contrast"]' : ''
    const found: any = await page.evaluate(`axe.run(document, { resultTypes: ["violations"]${rules} }).then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html, failureSummary }) => html.slice(0, 120) + " " + failureSummary).join(" | ")))`)
    t.strictSame(found, [], `${view}, ${colorScheme}`)
  }
}

/** The name of what has the focus. */
export async function focused (page: Page): Promise<string> {
  return await page.evaluate('document.activeElement.ariaLabel ?? document.activeElement.labels?.[0]?.textContent ?? document.activeElement.tagName + ": " + document.activeElement.textContent.slice(0, 20)')
}

/** What a page said that is worth a complaint; statuses of answers and broken connections that the test asks for are not. */
export function unexpected (complaints: string[]): string[] {
  return complaints.filter(complaint => !/^Failed to load resource: the server responded with a status of \d+|^Failed to load resource: net::ERR_(INTERNET_DISCONNECTED|INCOMPLETE_CHUNKED_ENCODING)/.test(complaint))
}

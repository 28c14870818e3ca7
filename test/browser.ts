import { existsSync } from 'node:fs'
import { chromium, type BrowserContextOptions, type Page } from 'playwright-core'

// Names that end in .example lead to this machine: on plain http, such a page is not a secure context.
// The headless shell is the same engine without windows of its own, and starts faster.
const PLACES = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/opt/google/chrome/chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome']
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP *.example 127.0.0.1']

/** Why tests that need a browser cannot run here; false where they can. A build server must have one. */
export const noBrowser = PLACES.some(place => existsSync(place)) || process.env.CI ? false : 'no Chromium or Chrome on this machine'

export interface WatchedPage {
  readonly page: Page
  /** Console errors, uncaught exceptions, violations of the content policy, and requests to other hosts. */
  readonly complaints: string[]
}

/** A page of a real, headless browser that was started for this test; `device` is what it runs on. */
export async function openPage (t: { teardown (end: () => unknown): unknown }, hosts: string[], device: BrowserContextOptions = {}): Promise<WatchedPage> {
  const executablePath = PLACES.find(place => existsSync(place))
  const browser = await chromium.launch({ ...(executablePath !== undefined && { executablePath }), args: QUIET })
  t.teardown(() => browser.close())
  const page = await browser.newPage(device)
  const complaints: string[] = []
  page.on('console', message => { if (message.type() === 'error' || message.text().startsWith('violation:')) complaints.push(message.text()) })
  page.on('pageerror', error => complaints.push(`uncaught: ${error.message}`))
  page.on('request', request => {
    const { protocol, host } = new URL(request.url())
    if (protocol.startsWith('http') && !hosts.includes(host)) complaints.push(`off-host request: ${request.url()}`)
  })
  await page.addInitScript('document.addEventListener(\'securitypolicyviolation\', e => console.log(\'violation: \' + e.violatedDirective + \' \' + e.blockedURI))')
  return { page, complaints }
}

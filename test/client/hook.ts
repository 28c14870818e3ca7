import { test } from 'tap'
import { noBrowser, openPage } from '../browser.ts'
import { eventually, startGateway } from '../helper.ts'
import { buildPage, startFrontend } from './frontend.ts'

const KEY = 'admin-key'
const HARD_CODED = ['Hard-coded chat (1)']

/**
 * The hook's story with one version of React, under StrictMode, in a page that a
 * server has rendered: the first list, the gateway's, the same one again, a
 * changed one, none while the gateway is down, and the end.
 */
export function testHook (react: 18 | 19): void {
  test(`useModels with React ${react}`, { skip: noBrowser }, async t => {
    const page = await buildPage(t, react)
    t.match(page.version, new RegExp(`^${react}\\.`))
    t.match(page.html, /Hard-coded chat.*Hard-coded chat.*Hard-coded image/, 'a server renders the first list')

    const directory = t.testdir({})
    const settings = { CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${directory}/models.db`, ADMIN_API_KEY: KEY }
    const gateway = await startGateway(t, settings)
    const frontend = await startFrontend(t, page, gateway.port)
    const { promise, resolve: release } = Promise.withResolvers<void>()
    frontend.held = promise

    const { page: tab, complaints } = await openPage(t, [frontend.host])
    const panel = async (label: string) => tab.getByRole('list', { name: label, exact: true }).getByRole('listitem').allInnerTexts()
    const shows = async (label: string, name: string) => {
      await tab.getByRole('list', { name: label, exact: true }).getByText(name).first().waitFor()
      return panel(label)
    }
    const answered = (count: number) => eventually(() => frontend.answers.length === count, 5000, () => JSON.stringify(frontend.answers))
    const tell = (event: 'focus' | 'online') => tab.evaluate(`window.dispatchEvent(new Event('${event}'))`)

    await tab.goto(`http://${frontend.host}/`)
    await tab.waitForFunction('window.unmount !== undefined')
    t.strictSame(await panel('chat'), HARD_CODED, 'the first list, while the gateway is silent')
    t.strictSame(frontend.answers, [])

    release()
    const chat = await shows('chat', 'Gemini 1.5 Flash')
    t.ok(chat.includes('Gemini 1.5 Flash (1048576)'), chat.join())
    t.strictSame(await panel('chat again'), chat)
    t.match(await shows('image', 'Stable Diffusion XL'), [/ by StabilityAI$/])
    t.strictSame(frontend.answers.toSorted((a, b) => a.url < b.url ? -1 : 1), [{ url: '/v1/models?type=chat', status: 200 }, { url: '/v1/models?type=image', status: 200 }], 'one request a list')

    await tell('focus')
    await answered(4)
    t.strictSame(frontend.answers.slice(2).map(({ status }) => status), [304, 304], 'the browser asks whether its copies are current')
    t.strictSame(await panel('chat'), chat)
    t.equal(await tab.getByRole('list', { name: 'chat', exact: true }).getAttribute('data-lists'), '2', 'the same list stays the same array')

    const patch = await fetch(`${gateway.url}/admin/models/gemini-1.5-flash`, { method: 'PATCH', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/merge-patch+json' }, body: '{"name":"Renamed"}' })
    t.equal(patch.status, 200, await patch.text())
    await tell('focus')
    const renamed = await shows('chat', 'Renamed')
    t.ok(renamed.includes('Renamed (1048576)'), renamed.join())
    await answered(6)

    const closed = gateway.app.close()
    gateway.app.server.closeAllConnections()
    await closed
    await tell('focus')
    await answered(8)
    t.strictSame(frontend.answers.slice(6).map(({ status }) => status), [502, 502])
    await tab.evaluate('new Promise(resolve => setTimeout(resolve, 50))')
    t.strictSame(await panel('chat'), renamed, 'the last good list stays while the gateway is down')

    frontend.target = (await startGateway(t, { CATALOG_FILE: t.testdir({ 'catalog.json': '{"chat":[{"id":"new","name":"New","description":"","contextLength":2}]}' }) + '/catalog.json' })).port
    await tell('online')
    t.strictSame(await shows('chat', 'New'), ['New (2)'])
    await answered(10)
    t.strictSame(await panel('image'), [], 'the gateway has no image models, so the page shows none')

    await tab.evaluate('window.unmount()')
    await tell('focus')
    await tab.evaluate('fetch("/v1/models/new")')
    t.equal(frontend.answers.length, 11, 'a page without panels asks for nothing')
    t.strictSame(complaints.filter(complaint => !complaint.includes('Failed to load resource')), [], 'no warning of React\'s')
  })
}

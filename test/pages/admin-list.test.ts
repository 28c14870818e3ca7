// The admin page as a list: it asks for the key once, shows all models in the
// order of the catalog, finds and filters them on the server, and tells how the
// catalog is.
import { test } from 'tap'
import { noBrowser } from '../browser.ts'
import { failedLoad, KEY, openAdmin, shownNames, signIn } from './admin.ts'
import { isAccessible } from './helper.ts'

test('the key, the list and the status', { skip: noBrowser }, async t => {
  const { page, url, api, complaints } = await openAdmin(t)
  const table = page.getByRole('table', { name: 'Models' })

  await t.test('the key is asked for once, and kept in sessionStorage only', async t => {
    await isAccessible(t, page, 'the entrance')
    await signIn(page, 'a-wrong-key')
    await page.getByText('This is not an admin key of this gateway.').waitFor()
    t.equal(await page.evaluate('sessionStorage.length'), 0, 'a wrong key is not kept')
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    let checks = 0
    await page.route('**/admin/catalog', async route => {
      checks++
      await released
      await route.continue()
    })
    await page.getByLabel('Admin key').fill(KEY)
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Checking…' }).waitFor()
    await page.keyboard.press('Enter')
    await page.evaluate('new Promise(resolve => setTimeout(resolve, 100))')
    t.equal(checks, 1, 'Enter, pressed again while the key is checked, does nothing')
    release()
    await table.waitFor()
    await page.reload()
    await table.getByText('gemini-1.5-pro').waitFor()
    t.same(await page.evaluate('[Object.values(sessionStorage), localStorage.length, document.cookie]'), [[KEY], 0, ''])
    t.same(complaints.splice(0), [failedLoad('401 (Unauthorized)')])
  })

  await t.test('all models, in the order of the catalog', async t => {
    await api('PATCH', 'models/sdxl', { isActive: false })
    await page.reload()
    await table.getByText('gemini-1.5-pro').waitFor()
    t.same(await shownNames(page), ['Gemini 2.5 Flash Preview 04-17', 'Gemini 1.5 Pro', 'Gemini 1.5 Flash', 'Stable Diffusion XL', 'SDXL-Lightning', 'Flux Schnell', 'Flux Pro'])
    t.equal(await page.getByRole('switch', { name: 'Stable Diffusion XL is active' }).isChecked(), false)
    t.match(await page.getByRole('row').filter({ hasText: 'gemini-1.5-pro' }).textContent(), /Advanced reasoning and long context.*chat.*2,097,152/)
    await isAccessible(t, page, 'the list')
  })

  await t.test('search and filters', async t => {
    const search = page.getByRole('searchbox', { name: 'Search models' })
    const found = async (count: string) => await page.getByRole('status').getByText(count, { exact: true }).waitFor()
    await search.fill('FLUX')
    await found('2 models')
    t.same(await shownNames(page), ['Flux Schnell', 'Flux Pro'])
    await search.fill('no such model')
    await found('No models found')
    await search.fill('')
    await page.getByRole('combobox', { name: 'Type' }).selectOption('image')
    await found('4 models')
    await page.getByRole('combobox', { name: 'State' }).selectOption('Not active')
    await found('1 model')
    t.same(await shownNames(page), ['Stable Diffusion XL'])
    await page.getByRole('combobox', { name: 'Type' }).selectOption('All types')
    await page.getByRole('combobox', { name: 'State' }).selectOption('Active')
    await found('6 models')
  })

  await t.test('on a phone, names and ids are wrapped and not cut', async t => {
    const wide = page.viewportSize() ?? { width: 1280, height: 720 }
    await page.setViewportSize({ width: 390, height: 844 })
    const { cut, heights } = await page.evaluate<{ cut: string[], heights: number[] }>(`({
      cut: [...document.querySelectorAll('.models :is(.name, .about)')]
        .filter(({ scrollWidth, clientWidth, scrollHeight, clientHeight }) => scrollWidth > clientWidth || scrollHeight > clientHeight + 1)
        .map(element => element.textContent),
      heights: [...new Set([...document.querySelectorAll('.models tr[data-id]')].map(row => row.getBoundingClientRect().height))]
    })`)
    t.same(cut, [])
    t.equal(heights.length, 1, 'all rows are of one height, on which the window of a long list relies')
    await page.setViewportSize(wide)
  })

  await t.test('the status of the catalog', async t => {
    await page.getByText('OK', { exact: true }).waitFor()
    await page.getByText('6 active models from the database').click()
    const panel = page.getByRole('group').filter({ hasText: 'Catalog status' })
    for (const text of ['Last success', 'Last error', 'Next try', 'Age']) await panel.getByText(text, { exact: true }).waitFor()
    await isAccessible(t, page, 'the status')
    await panel.getByRole('button', { name: 'Refresh now' }).click()
    await page.getByText('The catalog was refreshed.').waitFor()
    await page.keyboard.press('Escape')
    t.equal(await panel.getByText('Next try').isVisible(), false)
  })

  t.same(complaints, [])
  t.equal(new URL(page.url()).origin, url)
})

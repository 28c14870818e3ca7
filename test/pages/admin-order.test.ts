// The order in the admin page: a model is moved by keys, by the menu and by
// dragging with a mouse or a finger, also under a filter that hides others
// between; the focus goes with it. Of a long list only what is near the screen is
// rendered; all of it can be selected.
import { test } from 'tap'
import type { Locator, Page } from 'playwright-core'
import { noBrowser, openPage } from '../browser.ts'
import { openAdmin, shownNames, signIn } from './admin.ts'

const MANY = 600
const PHONE = { viewport: { width: 390, height: 664 }, hasTouch: true, isMobile: true }

/** A finger on the screen, as the browser's own input. */
async function finger (page: Page) {
  const session = await page.context().newCDPSession(page)
  const send = async (type: 'touchStart' | 'touchMove' | 'touchEnd' | 'touchCancel', touchPoints: Array<{ x: number, y: number }>) => await session.send('Input.dispatchTouchEvent', { type, touchPoints })
  return {
    press: async (x: number, y: number) => await send('touchStart', [{ x, y }]),
    move: async (x: number, y: number) => await send('touchMove', [{ x, y }]),
    lift: async () => await send('touchEnd', []),
    lose: async () => await send('touchCancel', [])
  }
}

/** The middle of what is shown. */
async function middle (shown: Locator): Promise<[x: number, y: number]> {
  const { x, y, width, height } = (await shown.boundingBox())!
  return [x + width / 2, y + height / 2]
}

async function scrolledBeyond (page: Page, least: number): Promise<void> {
  await page.waitForFunction(least => (globalThis as unknown as { scrollY: number }).scrollY > least, least)
}

test('the order of the models', { skip: noBrowser }, async t => {
  const { page, api, complaints } = await openAdmin(t)
  await signIn(page)
  const handle = (name: string) => page.getByRole('button', { name: `Move ${name}`, exact: true })
  const said = async (text: string) => await page.getByRole('status', { name: 'Messages' }).getByText(text).waitFor()
  const order = async (type: string) => (await api('GET', `models?type=${type}`)).data.map(({ id }: any) => id).join(' ')
  const focused = async () => await page.evaluate('document.activeElement.getAttribute("aria-label")')

  await t.test('by keys: up, down and to the top; the focus stays on the model', async t => {
    await handle('Flux Pro').focus()
    await page.keyboard.press('ArrowUp')
    await said('Flux Pro is now number 3 of the image models.')
    t.equal(await focused(), 'Move Flux Pro')
    await page.keyboard.press('ArrowDown')
    await said('Flux Pro is now number 4 of the image models.')
    await page.keyboard.press('Home')
    await said('Flux Pro is now number 1 of the image models.')
    t.equal(await order('image'), 'flux-pro sdxl sdxl-lightning flux-schnell')
    t.equal(await focused(), 'Move Flux Pro')
    await page.keyboard.press('ArrowUp')
    t.equal(await order('image'), 'flux-pro sdxl sdxl-lightning flux-schnell', 'a model stays among those of its type')
    t.same((await shownNames(page)).slice(2, 5), ['Gemini 1.5 Flash', 'Flux Pro', 'Stable Diffusion XL'])
  })

  await t.test('by the menu', async t => {
    await handle('Gemini 1.5 Flash').press('Enter')
    await page.getByRole('group', { name: 'Actions for Gemini 1.5 Flash' }).getByRole('button', { name: 'Move up' }).click()
    await said('Gemini 1.5 Flash is now number 2 of the chat models.')
    t.equal(await order('chat'), 'gemini-2.5-flash-preview-04-17 gemini-1.5-flash gemini-1.5-pro')

    await handle('Flux Pro').press('Enter')
    const menu = page.getByRole('group', { name: 'Actions for Flux Pro' })
    t.same(await Promise.all(['Move to top', 'Move up', 'Move down'].map(name => menu.getByRole('button', { name }).isDisabled())), [true, true, false], 'the first goes no higher')
    for (const key of ['Tab', 'Tab', 'Tab']) await page.keyboard.press(key)
    await menu.waitFor({ state: 'hidden', timeout: 2000 })
    t.equal(await focused(), 'Select Flux Pro', 'Tab leaves the menu and goes on from where it was opened')
  })

  await t.test('by dragging', async t => {
    await handle('Flux Schnell').dragTo(page.getByRole('row').filter({ hasText: 'Stable Diffusion XL' }), { targetPosition: { x: 200, y: 8 } })
    await said('Flux Schnell is now number 2 of the image models.')
    t.equal(await order('image'), 'flux-pro flux-schnell sdxl sdxl-lightning')
    await handle('Flux Schnell').dragTo(page.getByRole('row').filter({ hasText: 'Gemini 1.5 Pro' }))
    t.equal(await order('image'), 'flux-pro flux-schnell sdxl sdxl-lightning', 'not among those of another type')

    const [x, y] = await middle(handle('Flux Schnell'))
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x, y + 120)
    await page.locator('[data-drop]').waitFor()
    await page.keyboard.press('Escape')
    await page.locator('[data-drop]').waitFor({ state: 'detached' })
    await page.mouse.move(x, y)
    await page.mouse.up()
    t.equal(await order('image'), 'flux-pro flux-schnell sdxl sdxl-lightning', 'Escape breaks off')
    t.equal(await page.getByRole('group', { name: /^Actions for/ }).count(), 0, 'the end of a drag is no click')
  })

  await t.test('under a filter: the model moves past what is hidden, and nothing else does', async t => {
    await page.getByRole('searchbox').fill('stability')
    await page.getByText('2 models', { exact: true }).waitFor()
    await api('PUT', 'catalog/order', ['sdxl', 'flux-pro', 'flux-schnell', 'sdxl-lightning'])
    await handle('SDXL-Lightning').focus()
    await page.keyboard.press('ArrowUp')
    await said('SDXL-Lightning is now number 1 of the models shown.')
    t.equal(await order('image'), 'sdxl-lightning sdxl flux-pro flux-schnell')
    await page.keyboard.press('ArrowDown')
    await said('SDXL-Lightning now stands after Stable Diffusion XL.')
    t.equal(await order('image'), 'sdxl sdxl-lightning flux-pro flux-schnell')

    await page.getByRole('searchbox').fill('schnell')
    await page.getByText('1 model', { exact: true }).waitFor()
    await handle('Flux Schnell').press('Home')
    await said('Flux Schnell is now number 1 of the models shown.')
    t.equal(await order('image'), 'flux-schnell sdxl sdxl-lightning flux-pro', 'the top of its type, not of what is found')
    await page.getByRole('searchbox').fill('stability')
    await page.getByText('2 models', { exact: true }).waitFor()
    await handle('Stable Diffusion XL').dragTo(page.getByRole('row').filter({ hasText: 'SDXL-Lightning' }), { targetPosition: { x: 200, y: 44 } })
    await said('Stable Diffusion XL now stands after SDXL-Lightning.')
    t.equal(await order('image'), 'flux-schnell sdxl-lightning sdxl flux-pro', 'by dragging')
    await page.getByRole('searchbox').fill('')
  })

  await t.test('a list of many is rendered near the screen only, and a model goes from its end to its top by one key', async t => {
    const file = await api('GET', 'catalog/export')
    const many = Array.from({ length: MANY }, (_, index) => ({ id: `m-${index}`, name: `Speaker ${index}`, description: '' }))
    await api('POST', 'catalog/import', { ...file, speech: many })
    await page.reload()
    await page.getByText('100 models loaded, more as you scroll').waitFor()
    t.ok((await shownNames(page)).length < 100)
    const wide = page.viewportSize() ?? { width: 1280, height: 720 }
    await page.setViewportSize({ width: 390, height: 844 })
    t.ok((await page.getByRole('columnheader', { name: 'Model', exact: true }).boundingBox())?.width as number > 120, 'on a phone the names have room')
    await page.setViewportSize(wide)
    await page.getByRole('checkbox', { name: 'Select all models found' }).check()
    await page.getByText(`${MANY + 7} models selected`).waitFor()
    const last = handle(`Speaker ${MANY - 1}`)
    for (let turn = 0; turn < 100 && await last.count() === 0; turn++) {
      await page.mouse.wheel(0, 20_000)
      await page.waitForTimeout(50)
    }
    t.ok((await shownNames(page)).length < 100)
    await page.getByText(`${MANY + 7} models`, { exact: true }).waitFor()
    await last.press('Home')
    await last.and(page.locator(':focus')).waitFor()
    await said(`Speaker ${MANY - 1} is now number 1 of the speech models.`)
    t.equal((await api('GET', 'models?type=speech&limit=2')).data.map(({ id }: any) => id).join(' '), `m-${MANY - 1} m-0`)

    await page.reload()
    await page.getByText('100 models loaded').waitFor()
    const lists: string[] = []
    page.on('request', request => { if (new URL(request.url()).pathname === '/admin/models') lists.push(request.url()) })
    const status = page.waitForResponse(response => response.url().endsWith('/admin/catalog'))
    await page.getByRole('switch', { name: 'Flux Pro is active' }).click()
    await said('Switched off: flux-pro.')
    await status
    t.same(lists, [], 'a switch reads no list again')
    t.equal((await api('GET', 'models/flux-pro')).isActive, false)
    await page.getByRole('combobox', { name: 'State' }).selectOption('Not active')
    await page.getByText('1 model', { exact: true }).waitFor()
    await page.getByRole('switch', { name: 'Flux Pro is active' }).click()
    await page.getByText('No models found').waitFor()
  })

  await t.test('by a finger: the handle drags, the rest of a row scrolls', async t => {
    const phone = await openPage(t, [new URL(page.url()).host], PHONE)
    await phone.page.goto(page.url())
    await signIn(phone.page)
    const { press, move, lift, lose } = await finger(phone.page)
    const grip = (name: string) => phone.page.getByRole('button', { name: `Move ${name}`, exact: true })
    const drop = phone.page.locator('[data-drop]')
    const scrolled = async () => await phone.page.evaluate<number>('scrollY')
    const before = await order('chat')

    await grip('Gemini 1.5 Flash').tap()
    await phone.page.getByRole('group', { name: 'Actions for Gemini 1.5 Flash' }).waitFor()
    await phone.page.keyboard.press('Escape')

    const [x, y] = await middle(grip('Gemini 1.5 Pro'))
    await press(x, y)
    await move(x, y - 50)
    await move(x, y - 100)
    await drop.waitFor()
    await lose()
    await drop.waitFor({ state: 'detached' })
    t.equal(await order('chat'), before, 'the system may take the finger away')

    await press(x, y)
    await move(x, y - 50)
    await move(x, y - 100)
    await lift()
    await phone.page.getByText('Gemini 1.5 Pro is now number 2 of the chat models.').waitFor()
    t.equal(await order('chat'), 'gemini-2.5-flash-preview-04-17 gemini-1.5-pro gemini-1.5-flash')
    t.equal(await scrolled(), 0)

    const last = grip(`Speaker ${MANY - 1}`)
    await phone.page.evaluate('scrollTo(0, 500)')
    const [handleX, handleY] = await middle(last)
    const start = await scrolled()
    await press(handleX, handleY)
    await move(handleX, 640)
    await move(handleX, 660)
    await scrolledBeyond(phone.page, start + 2500)
    t.equal(await last.count(), 0, 'its row is no longer rendered')
    await move(handleX, 400)
    await lift()
    await phone.page.getByText(`Speaker ${MANY - 1} is now number`).waitFor()
    t.ok((await order('speech')).split(' ').indexOf(`m-${MANY - 1}`) > 20, 'the page scrolls at its edge while the finger drags')
    t.ok(Math.abs((await middle(last))[1] - 400) < 90, 'it stands where it was let go')

    await phone.page.evaluate('scrollTo(0, 0)')
    const [rowX, rowY] = await middle(phone.page.getByRole('rowheader', { name: 'Gemini 1.5 Pro' }))
    await press(rowX, rowY)
    for (let moved = 20; moved <= 200; moved += 20) await move(rowX, rowY - moved)
    await lift()
    await scrolledBeyond(phone.page, 100)

    t.same(phone.complaints, [])
  })

  t.same(complaints, [])
})

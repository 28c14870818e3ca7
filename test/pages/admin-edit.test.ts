// Editing in the admin page: the API's checks stand beside the fields, many
// models are switched at once, a deletion can be taken back, and of two admins
// who change one model neither loses what was typed.
import { test } from 'tap'
import { noBrowser } from '../browser.ts'
import { failedLoad, KEY, openAdmin, shownNames, signIn } from './admin.ts'
import { isAccessible } from './helper.ts'

test('editing models', { skip: noBrowser }, async t => {
  const { page, app, api, complaints } = await openAdmin(t)
  await signIn(page)
  /** Waits for a message, and dismisses it unless its Undo is still wanted. */
  const said = async (text: string, keep = false) => {
    const message = page.getByRole('status', { name: 'Messages' }).getByRole('paragraph').filter({ hasText: text })
    await message.waitFor()
    if (!keep) await message.getByRole('button', { name: 'Dismiss this message' }).click()
  }
  const model = async (id: string) => await api('GET', `models/${encodeURIComponent(id)}`)
  const open = async (name: string) => await page.getByRole('button', { name, exact: true }).click()
  const dialog = page.getByRole('dialog')
  const field = (name: string) => dialog.getByRole('textbox', { name, exact: true })
  const save = async () => await dialog.getByRole('button', { name: /^(Save|Add)$/ }).click()

  await t.test('a model is added; what the API refuses stands beside the field', async t => {
    await open('Add a model')
    await field('Id').fill('org/model')
    await field('Context length').fill('many')
    await save()
    await dialog.getByText('Must be an integer').waitFor()
    t.equal(await field('Name').getAttribute('aria-invalid'), 'true')
    const focused = await page.evaluate('[document.activeElement.labels[0].textContent, document.getElementById(document.activeElement.getAttribute("aria-describedby")).textContent]')
    t.same(focused, ['Name', 'Must not be empty.'], 'the focus is on the first field at fault')
    await isAccessible(t, page, 'the form with problems')

    await field('Name').fill('Model')
    await field('Context length').fill('131072')
    await dialog.getByRole('group', { name: 'Takes' }).getByRole('checkbox', { name: 'image' }).check()
    await dialog.getByRole('combobox', { name: 'Calls tools' }).selectOption('Yes')
    await save()
    await said('Model was added.')
    t.match(await model('org/model'), { name: 'Model', type: 'chat', contextLength: 131072, isActive: true, capabilities: { input: ['image'], tools: true } })
    await page.getByRole('row').filter({ hasText: 'org/model' }).getByText('image, tools').waitFor()
    t.same(complaints.splice(0), [failedLoad('400 (Bad Request)')])
  })

  await t.test('an edit changes what was changed, and no more', async t => {
    const before = await model('org/model')
    await open('Model')
    await field('Provider').fill('Organisation')
    await dialog.getByRole('combobox', { name: 'Calls tools' }).selectOption('Not known')
    await save()
    await said('Model was saved.')
    const after = await model('org/model')
    t.same(after, { ...before, provider: 'Organisation', capabilities: { input: ['image'] }, updatedAt: after.updatedAt })
  })

  await t.test('what was typed is not lost by Escape', async t => {
    await open('Model')
    await field('Description').fill('A sentence')
    // Of a second Escape without a click between, a browser closes a dialog by itself.
    for (let press = 0; press < 3; press++) await page.keyboard.press('Escape')
    await dialog.getByText('Discard what you typed?').waitFor({ timeout: 2000 })
    await page.keyboard.press('Enter')
    t.equal(await field('Description').inputValue(), 'A sentence')
    // As the back gesture of a phone does.
    await dialog.evaluate((element: any) => element.close())
    await dialog.getByRole('button', { name: 'Discard' }).click()
    t.equal(await dialog.count(), 0)
    t.equal(await page.evaluate('document.activeElement.textContent'), 'Model', 'the focus is where it was')
  })

  await t.test('two admins: each change is shown, and the person chooses field by field', async t => {
    await open('Gemini 1.5 Pro')
    await page.waitForLoadState('networkidle')
    await field('Name').fill('My name')
    await field('Description').fill('My description')
    await api('PATCH', 'models/gemini-1.5-pro', { description: 'Their description', provider: 'Their provider' })
    await save()
    const conflict = dialog.getByRole('alert').filter({ hasText: 'Another admin changed this model' })
    await conflict.getByText('Nothing you typed is lost').waitFor()
    await conflict.getByText('saved it just now').waitFor({ timeout: 2000 })
    t.match(await conflict.getByRole('row', { name: /Description/ }).textContent(), 'DescriptionAdvanced reasoning and long contextTheir descriptionMy description')
    t.match(await conflict.getByRole('row', { name: /Provider/ }).textContent(), 'Their providerChanged by them, kept', 'what only they changed is no question')
    await isAccessible(t, page, 'two admins')
    t.same([await field('Name').inputValue(), await field('Description').inputValue(), await field('Provider').inputValue()], ['My name', 'My description', 'Their provider'])

    await conflict.getByRole('button', { name: 'Take all of theirs' }).click()
    t.same([await field('Name').inputValue(), await field('Description').inputValue()], ['Gemini 1.5 Pro', 'Their description'])
    await conflict.getByRole('button', { name: 'Keep all of yours' }).click()
    t.same([await field('Description').inputValue(), await field('Provider').inputValue()], ['My description', 'Their provider'], 'and is not undone')
    await conflict.getByRole('radio', { name: 'Description: theirs' }).check()
    t.equal(await field('Description').inputValue(), 'Their description')
    await conflict.getByRole('radio', { name: 'Description: yours' }).check()
    await save()
    await said('My name was saved.')
    t.match(await model('gemini-1.5-pro'), { name: 'My name', description: 'My description', provider: 'Their provider' })
    t.same(complaints.splice(0), [failedLoad('412 (Precondition Failed)')])
  })

  await t.test('a model that another admin deleted can be added again', async t => {
    await open('Model')
    await page.waitForLoadState('networkidle')
    await field('Description').fill('Still wanted')
    await api('DELETE', 'models/org%2Fmodel')
    await save()
    await dialog.getByText('Another admin deleted this model').waitFor()
    await save()
    await said('Model was added.')
    t.match(await model('org/model'), { description: 'Still wanted', provider: 'Organisation', contextLength: 131072 })
    t.same(complaints.splice(0), [failedLoad('404 (Not Found)')])
  })

  await t.test('one switch, and many at once', async t => {
    await page.getByRole('switch', { name: 'Flux Pro is active' }).click()
    await said('Switched off: flux-pro.')
    t.equal((await model('flux-pro')).isActive, false)
    await page.getByRole('combobox', { name: 'Type' }).selectOption('image')
    await page.getByText('4 models', { exact: true }).waitFor()
    await page.getByRole('checkbox', { name: 'Select all models found' }).check()
    await page.getByRole('group', { name: 'Selected models' }).getByRole('button', { name: 'Switch off' }).click()
    await said('Switched off: 4 models.')
    t.same((await api('GET', 'models?active=false')).data.map(({ id }: any) => id), ['sdxl', 'sdxl-lightning', 'flux-schnell', 'flux-pro'])
    await api('POST', 'models', { id: 'brief', name: 'Brief', type: 'image' })
    await page.getByRole('searchbox').fill('brief')
    await page.getByRole('checkbox', { name: 'Select Brief' }).check()
    await api('DELETE', 'models/brief')
    const selected = page.getByRole('group', { name: 'Selected models' })
    await selected.getByRole('button', { name: 'Switch off' }).click()
    await said('brief was not switched: it no longer exists.')
    await selected.getByText('4 models selected').waitFor({ timeout: 2000 })
    t.same(complaints.splice(0), [failedLoad('404 (Not Found)')])
    await page.getByRole('searchbox').fill('')
    await page.getByRole('button', { name: 'Clear selection' }).click()
    await page.getByRole('combobox', { name: 'Type' }).selectOption('All types')
  })

  await t.test('a deletion is taken back, with its place and its dates', async t => {
    await page.getByText('8 models', { exact: true }).waitFor()
    const [before, names] = [await model('sdxl-lightning'), await shownNames(page)]
    await page.getByRole('checkbox', { name: 'Select SDXL-Lightning' }).check()
    await page.getByRole('button', { name: 'More actions for SDXL-Lightning' }).click()
    await isAccessible(t, page, 'a menu')
    await page.getByRole('group', { name: 'Actions for SDXL-Lightning' }).getByRole('button', { name: 'Delete' }).click()
    await said('SDXL-Lightning was deleted.', true)
    await page.getByText('7 models', { exact: true }).waitFor()
    t.equal(await page.getByRole('group', { name: 'Selected models' }).count(), 0, 'what is deleted is no longer selected')
    await api('POST', 'models', { id: 'late', name: 'Late', type: 'image' })
    await page.keyboard.press('Enter')
    await said('SDXL-Lightning is back at its place.', true)
    await page.getByText('9 models', { exact: true }).waitFor()
    t.same(await shownNames(page), [...names, 'Late'], 'and what another admin did meanwhile is kept')
    await page.getByRole('button', { name: 'SDXL-Lightning', exact: true }).and(page.locator(':focus')).waitFor({ timeout: 2000 })
    await said('SDXL-Lightning is back at its place.')
    const after = await model('sdxl-lightning')
    t.same(after, { ...before, updatedAt: after.updatedAt })
  })

  await t.test('each of many deletions can be taken back', async t => {
    const names = ['Flux Pro', 'Flux Schnell', 'SDXL-Lightning', 'Stable Diffusion XL', 'Gemini 1.5 Flash']
    for (const name of names) {
      await page.getByRole('button', { name: `More actions for ${name}` }).click()
      await page.getByRole('button', { name: 'Delete' }).click()
      await said(`${name} was deleted.`, true)
    }
    const first = page.getByRole('status', { name: 'Messages' }).getByRole('paragraph').filter({ hasText: 'Flux Pro was deleted.' })
    await first.getByRole('button', { name: 'Undo' }).click({ timeout: 2000 })
    await said('Flux Pro is back at its place.')
    t.equal((await model('flux-pro')).name, 'Flux Pro')
    for (const name of names.slice(1)) await said(`${name} was deleted.`)
  })

  await t.test('a key that is no longer taken is asked for again, before what was typed', async t => {
    await open('Late')
    await page.waitForLoadState('networkidle')
    await field('Description').fill('Typed before')
    await page.evaluate('sessionStorage.clear()')
    const refuse = await page.context().route('**/admin/models/late', async route => await route.continue({ headers: { ...route.request().headers(), authorization: 'Bearer old' } }), { times: 1 })
    t.teardown(async () => await refuse.dispose())
    await save()
    const again = page.getByRole('dialog', { name: 'The admin key is needed again' })
    await again.waitFor()
    for (let press = 0; press < 3; press++) await page.keyboard.press('Escape')
    await again.getByLabel('Admin key').fill(KEY)
    await again.getByRole('button', { name: 'Enter' }).click()
    await again.waitFor({ state: 'hidden' })
    t.equal(await field('Description').inputValue(), 'Typed before')
    await save()
    await said('Late was saved.')
    t.equal((await model('late')).description, 'Typed before')
    t.same(complaints.splice(0), [failedLoad('401 (Unauthorized)')])
  })

  await t.test('a gateway that is gone: what was typed stays, and can be saved later', async t => {
    await open('Late')
    await page.waitForLoadState('networkidle')
    await field('Description').fill('Typed offline')
    await page.context().setOffline(true)
    await save()
    await dialog.getByText('The gateway cannot be reached. Check your connection, then try again.').waitFor()
    await page.context().setOffline(false)
    await save()
    await said('Late was saved.')
    t.equal((await model('late')).description, 'Typed offline')
    t.ok(complaints.splice(0).every(complaint => complaint.includes('ERR_INTERNET_DISCONNECTED')))
  })

  t.same(complaints, [])
  t.ok(app.server.listening)
})

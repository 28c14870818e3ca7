// Import, export and history in the admin page: what an import would change is
// shown before it is made, and is compared anew where another admin was faster;
// the export is a file; the history tells each change in words.
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { noBrowser } from '../browser.ts'
import { failedLoad, openAdmin, signIn } from './admin.ts'
import { focused, isAccessible } from './helper.ts'

test('import, export, history', { skip: noBrowser }, async t => {
  const { page, api, complaints } = await openAdmin(t)
  await signIn(page)
  const dialog = page.getByRole('dialog', { name: 'Import a catalog' })
  const choose = async (content: string) => await dialog.getByLabel('Catalog file').setInputFiles({ name: 'catalog.json', mimeType: 'application/json', buffer: Buffer.from(content) })
  const changes = async () => (await dialog.getByRole('status', { name: 'What the import changes' }).getByRole('listitem').allTextContents())
  const replace = dialog.getByRole('button', { name: /^(Import|Replace)/ })
  const summary = (text: string) => dialog.getByText(text, { exact: true })

  await t.test('the export is a file in the format of CATALOG_FILE', async t => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export' }).click()])
    t.equal(download.suggestedFilename(), 'catalog.json')
    t.same(JSON.parse(readFileSync(await download.path(), 'utf8')), await api('GET', 'catalog/export'))
  })

  await t.test('what is not a catalog is said to be none', async t => {
    await page.getByRole('button', { name: 'Import' }).click()
    const refused = [
      ['', 'The file is empty.'],
      ['{"chat": [', 'This is not a JSON file ('],
      ['[]', 'it must hold an object'],
      ['{"object": "list", "data": []}', 'it has the unknown field "object". Take a file that Export made: an object with the lists chat, image, speech.'],
      ['{"chat": {}}', 'chat is not a list'],
      ['{"chat": [{"name": "x"}]}', 'number 1 of chat has no id'],
      ['{"chat": [{"id": "x"}], "image": [{"id": "y"}, {"id": "x"}]}', 'number 2 of image has the id "x", as number 1 of chat has.']
    ] as const
    for (const [content, words] of refused) {
      await choose(content)
      await dialog.getByRole('alert').getByText(words).waitFor({ timeout: 2000 })
    }
    t.equal(await replace.count(), 0)
  })

  await t.test('a preview of what changes, and the refusals of the API', async t => {
    const file = await api('GET', 'catalog/export')
    await choose(JSON.stringify(file))
    await dialog.getByText('there is nothing to import').waitFor()
    t.equal(await replace.count(), 0)

    await choose('{"chat": []}')
    await summary('7 models removed').waitFor()
    t.equal(await replace.textContent(), 'Replace, and remove 7 models', 'a file that keeps few is not imported by a mere "Import"')

    await choose(JSON.stringify({ ...file, chat: file.chat.toReversed() }))
    await summary('2 models moved').waitFor()
    await summary('5 models unchanged.').waitFor({ timeout: 2000 })

    file.image = [file.image[3], ...file.image.slice(0, 3)].filter(({ id }) => id !== 'sdxl')
    Object.assign(file.chat[1], { name: 'Gemini Pro', isActive: false, capabilities: { tools: true } })
    file.speech = [{ id: 'voice', name: '', description: '' }]
    await choose(JSON.stringify(file))
    for (const text of ['1 model added', '1 model removed', '1 model changed', '1 model moved', '4 models unchanged.']) await summary(text).waitFor()
    const lines = await changes()
    t.match(lines.find(line => line.startsWith('Gemini Pro')), /Name: Gemini 1.5 Pro → Gemini Pro.*Active: yes → no.*Tools: \(empty\) → yes/)
    t.ok(lines.some(line => line.includes('flux-pro')))
    await isAccessible(t, page, 'the preview of an import')

    await dialog.getByRole('button', { name: 'Import' }).click()
    await dialog.getByRole('alert').getByText('/speech/0/name must not be empty').waitFor()
    t.equal((await api('GET', 'models?q=sdxl')).data.length, 2, 'nothing was changed')

    file.speech[0].name = 'Voice'
    await choose(JSON.stringify(file))
    await summary('1 model added').waitFor()
    await api('PATCH', 'models/flux-schnell', { description: 'Changed meanwhile' })
    await dialog.getByRole('button', { name: 'Import' }).click()
    await dialog.getByText('The catalog has changed since this preview').waitFor()
    await summary('2 models changed').waitFor()
    t.match((await changes()).find(line => line.startsWith('Flux Schnell')), 'Description: Changed meanwhile → Fast image generation')
    await dialog.getByRole('button', { name: 'Import' }).click()
    await page.getByText('Imported: 1 model added, 2 changed, 1 removed, 1 moved.').waitFor()
    t.same((await api('GET', 'models')).data.map(({ id }: any) => id), ['gemini-2.5-flash-preview-04-17', 'gemini-1.5-pro', 'gemini-1.5-flash', 'flux-pro', 'sdxl-lightning', 'flux-schnell', 'voice'])
    t.same(complaints.splice(0), [failedLoad('400 (Bad Request)'), failedLoad('412 (Precondition Failed)')])
  })

  await t.test('the history tells who changed what', async t => {
    await api('PUT', 'catalog/order', ['sdxl-lightning', 'flux-pro'])
    for (let edit = 0; edit < 50; edit++) await api('PATCH', 'models/voice', { description: `Edit ${edit}` })
    await page.getByRole('link', { name: 'History' }).click()
    const list = page.getByRole('list', { name: 'Changes, newest first' })
    await list.getByText('Edit 49').waitFor()
    t.match(await list.getByRole('listitem').first().textContent(), /^admin-[0-9a-f]{8} (now|\d+ seconds? ago)changed Voice voiceDescription: Edit 48 → Edit 49$/)
    await isAccessible(t, page, 'the history')
    await page.getByRole('button', { name: 'Show older changes' }).click()
    await list.getByText('First start').waitFor()
    t.equal(await focused(page), 'H1: History', 'the focus, once there are no older ones')
    const told = await list.textContent()
    for (const words of ['reordered sdxl-lightning moved after gemini-1.5-flash', 'deleted Stable Diffusion XL sdxl', 'Name: Gemini 1.5 Pro → Gemini Pro', 'added Voice voice', '2 more in the same change']) t.match(told, words)
  })

  t.same(complaints, [])
})

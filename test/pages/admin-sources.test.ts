// The admin page where the inference service is the source of the catalog.
// Without a database nothing can be edited: the page says why, and what to do.
// With one, it tells where each field comes from, and what is set in it wins.
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import { noBrowser, openPage } from '../browser.ts'
import { shownNames, signIn, startAdmin } from './admin.ts'
import { isAccessible } from './helper.ts'

test('the inference service as the source', { skip: noBrowser }, async t => {
  const service = createServer((_request, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ data: [{ id: 'org/llama', max_model_len: 8192 }, { id: 'org/other', max_model_len: 4096 }] })))
  await once(service.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => service.close())
  const settings = { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: `http://127.0.0.1:${(service.address() as AddressInfo).port}/v1` }
  const fixed = await startAdmin(t, { ...settings, DATABASE_URL: '', INFERENCE_SERVICE_URL: 'http://127.0.0.1:9' })
  const joined = await startAdmin(t, settings)
  const { page, complaints } = await openPage(t, [fixed, joined].map(({ port }) => `127.0.0.1:${port}`))
  page.setDefaultTimeout(10_000)
  const dialog = page.getByRole('dialog')

  await t.test('without a database: why nothing can be edited, and what to do', async t => {
    await page.goto(`${fixed.url}/admin`)
    await signIn(page)
    await page.getByText('Models cannot be changed here').waitFor()
    await page.getByText('set DATABASE_URL and start the gateway again').waitFor()
    t.equal(await page.getByRole('button', { name: /Add a model|Import|More actions|Move / }).count(), 0)
    t.equal(await page.getByRole('switch', { name: 'Gemini 1.5 Pro is active' }).isDisabled(), true)

    await page.getByText('Needs attention').click()
    await page.getByText('the curated list, which stands in for the inference service').waitFor()
    t.match(await page.getByRole('group').filter({ hasText: 'Catalog status' }).textContent(), /Last errorThe inference service .* \(.+\)Next try(in \d+ seconds?|now)/)
    await page.keyboard.press('Escape')

    await page.getByRole('button', { name: 'Gemini 1.5 Pro', exact: true }).click()
    t.equal(await dialog.getByRole('textbox', { name: 'Name' }).isEditable(), false)
    t.equal(await dialog.getByRole('button', { name: 'Save' }).count(), 0)
    await isAccessible(t, page, 'details of a model')
    await dialog.getByRole('button', { name: 'Close' }).last().click()
  })

  await t.test('with a database: what is set wins, and can be given up again', async t => {
    await page.goto(`${joined.url}/admin`)
    await signIn(page)
    const model = async () => await joined.api('GET', 'models/org%2Fllama')
    const said = async (text: string) => await page.getByRole('status', { name: 'Messages' }).getByText(text).waitFor()
    await page.getByRole('button', { name: 'org/llama', exact: true }).click()
    await dialog.getByText('Empty a field to show what the service says again').waitFor()
    const context = dialog.getByRole('textbox', { name: 'Context length' })
    t.equal(await context.inputValue(), '8192')
    t.equal(await dialog.getByText('from the service').count() > 0, true)
    await dialog.getByRole('textbox', { name: 'Name' }).fill('Llama')
    await context.fill('1000')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await said('Llama was saved.')
    t.match(await model(), { name: 'Llama', contextLength: 1000, sources: { name: 'curated', contextLength: 'curated' } })

    await page.getByRole('button', { name: 'Llama', exact: true }).click()
    await dialog.getByText('set by an admin').first().waitFor()
    await context.fill('')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('row').filter({ hasText: 'Llama' }).getByText('8,192').waitFor()
    t.match(await model(), { name: 'Llama', contextLength: 8192, sources: { contextLength: 'service' } })

    await page.getByRole('switch', { name: 'org/other is active' }).click()
    await said('Switched off: org/other.')
    t.notOk((await (await fetch(`${joined.url}/v1/models`)).json() as any[]).some(({ id }) => id === 'org/other'), 'a model of the service is hidden')

    await page.getByRole('button', { name: 'More actions for Llama' }).click()
    await page.getByRole('button', { name: 'Undo all that was set' }).click()
    await said('Llama is as the service lists it.')
    t.ok((await shownNames(page)).includes('org/llama'))
    await page.getByRole('button', { name: 'Undo', exact: true }).click()
    await said('Llama is back at its place.')
    t.match(await model(), { name: 'Llama', contextLength: 8192, sources: { name: 'curated' } })
  })

  t.same(complaints, [])
})

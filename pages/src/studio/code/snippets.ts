import { OPENAI_URL } from '../openai.ts'

/** A request as it was sent, and which call of the OpenAI client sends it. */
export interface SentRequest {
  operation: keyof typeof OPERATIONS
  /** The body, for JSON. */
  json?: object
  /** The body's fields, for a form with a file. */
  form?: { fields: Record<string, string>, file: { field: string, name: string, type: string } }
}

const OPERATIONS = {
  chat: { path: 'chat/completions', call: 'chat.completions.create' },
  image: { path: 'images/generations', call: 'images.generate' },
  imageEdit: { path: 'images/edits', call: 'images.edit' },
  speech: { path: 'audio/speech', call: 'audio.speech.create' },
  transcription: { path: 'audio/transcriptions', call: 'audio.transcriptions.create' }
}

/** The environment variable that the snippets read a key from. */
export const KEY_VARIABLE = 'GATEWAY_API_KEY'

/** A request in each language, right as pasted. Keys are not in it: it reads {@link KEY_VARIABLE} where one is needed. */
export function snippets (request: SentRequest, keyed: boolean): Record<string, string> {
  return { curl: curl(request, keyed), JavaScript: javascript(request, keyed), Python: python(request, keyed), fetch: fetchCode(request, keyed) }
}

const urlOf = ({ operation }: SentRequest) => `${OPENAI_URL}/${OPERATIONS[operation].path}`
const streams = ({ json }: SentRequest) => json !== undefined && 'stream' in json && json.stream === true
/** For a POSIX shell. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
const literal = (value: unknown) => JSON.stringify(value)

/** Longer arguments than this, in characters, are too long for a command line on some systems. */
const ARGUMENT = 100_000

function curl (request: SentRequest, keyed: boolean): string {
  const { json, form, operation } = request
  const lines = [`curl ${streams(request) ? '-N ' : ''}${quoted(urlOf(request))}`]
  if (keyed) lines.push(`-H "authorization: Bearer $${KEY_VARIABLE}"`)
  if (form !== undefined) {
    for (const [name, value] of Object.entries(form.fields)) lines.push(`--form-string ${quoted(`${name}=${value}`)}`)
    const type = form.file.type === '' ? '' : `;type=${form.file.type}`
    lines.push(`-F ${quoted(`${form.file.field}=@"${form.file.name.replace(/["\\]/g, '\\$&')}"${type}`)}`)
    return lines.join(' \\\n  ')
  }
  lines.push("-H 'content-type: application/json'")
  if (operation === 'speech') lines.push(`-o ${quoted(soundFile(request))}`)
  const body = JSON.stringify(json)
  if (body.length > ARGUMENT) return `${[...lines, '--data-binary @-'].join(' \\\n  ')} <<'END_OF_BODY'\n${body}\nEND_OF_BODY`
  return [...lines, `-d ${quoted(body)}`].join(' \\\n  ')
}

const soundFile = ({ json }: SentRequest) => `speech.${(json as { response_format?: string }).response_format ?? 'mp3'}`

function javascript (request: SentRequest, keyed: boolean): string {
  const { json, form, operation } = request
  const parameters = form === undefined
    // The client's types ask for a model; an empty one names none.
    ? indented({ ...(operation !== 'image' && { model: '' }), ...json })
    : `{\n  ${[`${form.file.field}: await toFile(createReadStream(${literal(form.file.name)}), ${literal(form.file.name)}${typeOption(form.file)})`, ...Object.entries({ ...(operation !== 'imageEdit' && { model: '' }), ...form.fields }).map(([name, value]) => `${name}: ${literal(value)}`)].join(',\n  ')}\n}`
  return [
    ...(form === undefined ? [] : ["import { createReadStream } from 'node:fs'"]),
    ...(writesFile(request) ? ["import { writeFile } from 'node:fs/promises'"] : []),
    form === undefined ? "import OpenAI from 'openai'" : "import OpenAI, { toFile } from 'openai'",
    '',
    `const openai = new OpenAI({ baseURL: ${literal(OPENAI_URL)}, apiKey: ${keyed ? `process.env.${KEY_VARIABLE}` : "'none'"} })`,
    `const answer = await openai.${OPERATIONS[operation].call}(${parameters})`,
    ...JAVASCRIPT_ENDS[operation](request)
  ].join('\n')
}

/** Services refuse a picture without its type, which neither Node.js nor the client finds out from the name. */
const typeOption = ({ type }: { type: string }) => type === '' ? '' : `, { type: ${literal(type)} }`

const writesFile = ({ operation }: SentRequest) => operation === 'image' || operation === 'imageEdit' || operation === 'speech'
const indented = (value: unknown) => JSON.stringify(value, null, 2)

const imageEnd = () => [
  'for (const [index, image] of answer.data.entries()) {',
  '  if (image.url) console.log(image.url)',
  "  else await writeFile(`image-${index + 1}.png`, Buffer.from(image.b64_json, 'base64'))", // eslint-disable-line no-template-curly-in-string
  '}'
]
const JAVASCRIPT_ENDS: Record<SentRequest['operation'], (request: SentRequest) => string[]> = {
  chat: () => ["for await (const chunk of answer) process.stdout.write(chunk.choices[0]?.delta.content ?? '')"],
  image: imageEnd,
  imageEdit: imageEnd,
  speech: request => [`await writeFile(${literal(soundFile(request))}, Buffer.from(await answer.arrayBuffer()))`],
  transcription: () => ['console.log(answer.text)']
}

function python (request: SentRequest, keyed: boolean): string {
  const { json, form, operation } = request
  const named = operation === 'chat' || operation === 'speech' || operation === 'transcription'
  const values = Object.entries({ ...(named && { model: '' }), ...(form?.fields ?? json) }).map(([name, value]) => `    ${name}=${pythonLiteral(value)},`)
  const file = form === undefined ? [] : [`    ${form.file.field}=open(${pythonLiteral(form.file.name)}, "rb"),`]
  return [
    ...(operation === 'image' || operation === 'imageEdit' ? ['import base64'] : []),
    ...(keyed ? ['import os'] : []),
    'from openai import OpenAI',
    '',
    `client = OpenAI(base_url=${pythonLiteral(OPENAI_URL)}, api_key=${keyed ? `os.environ["${KEY_VARIABLE}"]` : '"none"'})`,
    `answer = client.${OPERATIONS[operation].call}(`,
    ...file,
    ...values,
    ')',
    ...PYTHON_ENDS[operation](request)
  ].join('\n')
}

const pythonImageEnd = () => [
  'for number, image in enumerate(answer.data, 1):',
  '    if image.url:',
  '        print(image.url)',
  '    else:',
  '        with open(f"image-{number}.png", "wb") as file:',
  '            file.write(base64.b64decode(image.b64_json))'
]
const PYTHON_ENDS: Record<SentRequest['operation'], (request: SentRequest) => string[]> = {
  chat: () => ['for chunk in answer:', '    if chunk.choices:', '        print(chunk.choices[0].delta.content or "", end="", flush=True)'],
  image: pythonImageEnd,
  imageEdit: pythonImageEnd,
  speech: request => [`answer.write_to_file(${pythonLiteral(soundFile(request))})`],
  transcription: () => ['print(answer.text)']
}

/** JSON's strings and numbers are Python's too. */
function pythonLiteral (value: unknown): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`
  if (typeof value === 'object') return `{${Object.entries(value).map(([name, field]) => `${literal(name)}: ${pythonLiteral(field)}`).join(', ')}}`
  return literal(value)
}

function fetchCode (request: SentRequest, keyed: boolean): string {
  const { json, form, operation } = request

  const key = keyed ? [`authorization: \`Bearer \${process.env.${KEY_VARIABLE}}\``] : []
  const head = (fields: string[]) => fields.length === 0 ? [] : [`  headers: { ${fields.join(', ')} },`]
  const request_ = form === undefined
    ? [`const response = await fetch(${literal(urlOf(request))}, {`, "  method: 'POST',", ...head(["'content-type': 'application/json'", ...key]), `  body: JSON.stringify(${indented(json).replaceAll('\n', '\n  ')})`, '})']
    : [
        'const form = new FormData()',
        ...Object.entries(form.fields).map(([name, value]) => `form.append(${literal(name)}, ${literal(value)})`),
        `form.append(${literal(form.file.field)}, await openAsBlob(${literal(form.file.name)}${typeOption(form.file)}), ${literal(form.file.name)})`,
        `const response = await fetch(${literal(urlOf(request))}, {`, "  method: 'POST',", ...head(key), '  body: form', '})'
      ]
  return [
    ...(form === undefined ? [] : ["import { openAsBlob } from 'node:fs'"]),
    ...(operation === 'speech' ? ["import { writeFile } from 'node:fs/promises'"] : []),
    ...request_,
    'if (!response.ok) throw new Error((await response.json()).error.message)',
    ...FETCH_ENDS[operation](request)
  ].join('\n')
}

const jsonEnd = () => ['console.log(await response.json())']
const FETCH_ENDS: Record<SentRequest['operation'], (request: SentRequest) => string[]> = {
  chat: () => ['for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) console.log(chunk)'],
  image: jsonEnd,
  imageEdit: jsonEnd,
  speech: request => [`await writeFile(${literal(soundFile(request))}, Buffer.from(await response.arrayBuffer()))`],
  transcription: jsonEnd
}

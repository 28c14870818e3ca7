import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Type, type Static } from '@sinclair/typebox'
import { ConfigError } from '../config.ts'
import { firstProblems, modelProblems, schemaProblems, type Problem } from './problems.ts'
import { DEFAULT_CREATED_AT, MODEL_TYPES, ModelSchema, type CuratedModel, type ModelType } from './models.ts'

const { type, ...fields } = ModelSchema.properties

/** One model of a catalog file. The list that contains it gives its type. */
export const CatalogFileItemSchema = Type.Object({
  ...fields,
  isActive: Type.Optional(Type.Boolean({ description: 'Whether clients see the model. Default: true.' }))
}, { additionalProperties: false })
/** A model in a catalog file. */
export type CatalogFileItem = Static<typeof CatalogFileItemSchema>

const items = (description: string) => Type.Optional(Type.Array(CatalogFileItemSchema, { description }))

/** A catalog file: a list of models for each type, in catalog order. */
export const CatalogFileSchema = Type.Object({
  chat: items('Chat models.'),
  image: items('Image models.'),
  speech: items('Speech models.')
} satisfies Record<ModelType, unknown>, {
  additionalProperties: false,
  description: 'A whole catalog, in the format of `CATALOG_FILE`.',
  examples: [{ chat: [{ id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', contextLength: 1048576 }], image: [{ id: 'sdxl', name: 'Stable Diffusion XL', description: 'High-quality image generation', provider: 'StabilityAI' }] }]
})
/** The content of `CATALOG_FILE`. */
export type CatalogFile = Static<typeof CatalogFileSchema>

/** The built-in catalog. */
export const BUILT_IN: CatalogFile = {
  chat: [
    { id: 'gemini-2.5-flash-preview-04-17', name: 'Gemini 2.5 Flash Preview 04-17', description: 'Latest preview model with enhanced capabilities', contextLength: 1048576 },
    { id: 'gemini-1.5-pro', name: 'Gemini 1.5 Pro', description: 'Advanced reasoning and long context', contextLength: 2097152 },
    { id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', contextLength: 1048576 }
  ],
  image: [
    { id: 'sdxl', name: 'Stable Diffusion XL', description: 'High-quality image generation', provider: 'StabilityAI' },
    { id: 'sdxl-lightning', name: 'SDXL-Lightning', description: 'Fast SDXL variant', provider: 'StabilityAI' },
    { id: 'flux-schnell', name: 'Flux Schnell', description: 'Fast image generation', provider: 'Flux' },
    { id: 'flux-pro', name: 'Flux Pro', description: 'High-quality image generation', provider: 'Flux' }
  ]
}

/** The problems of a catalog file's content; none if it is valid. */
export function catalogFileProblems (value: unknown): Problem[] {
  const problems = schemaProblems(CatalogFileSchema, value)
  return problems.length > 0 ? problems : firstProblems(itemProblems(value as CatalogFile))
}

function * itemProblems (file: CatalogFile): Generator<Problem> {
  const seen = new Map<string, string>()
  for (const type of MODEL_TYPES) {
    for (const [index, item] of (file[type] ?? []).entries()) {
      yield * modelProblems(item, `/${type}/${index}`)
      const pointer = `/${type}/${index}/id`
      const first = seen.get(item.id)
      if (first === undefined) seen.set(item.id, pointer)
      else yield { pointer, reason: `duplicates the id ${JSON.stringify(item.id)} of ${first}` }
    }
  }
}

/** A valid catalog file → its models, in order. */
export function modelsOf (file: CatalogFile): CuratedModel[] {
  return MODEL_TYPES.flatMap(type => (file[type] ?? []).map(item => ({ isActive: true, ...item, type })))
}

/**
 * The static list: of the file, or the built-in one without a file. @throws
 * ConfigError naming each position and problem
 */
export function staticModels (file: string | undefined): CuratedModel[] {
  return file === undefined ? dated(modelsOf(BUILT_IN)) : modelsIn(file, () => readFileSync(file))
}

/**
 * The list of a changed catalog file, read without blocking the event loop. @throws
 * ConfigError naming each position and problem
 */
export async function readStaticModels (file: string): Promise<CuratedModel[]> {
  const content = await readFile(file).catch((error: Error) => error)
  return modelsIn(file, () => {
    if (content instanceof Error) throw content
    return content
  })
}

function dated (models: CuratedModel[]): CuratedModel[] {
  return models.map(model => ({ createdAt: DEFAULT_CREATED_AT, ...model }))
}

function modelsIn (file: string, read: () => Buffer): CuratedModel[] {
  const refuse = (...reasons: string[]) => new ConfigError(reasons.map(reason => `CATALOG_FILE ${file}: ${reason}`))
  let text: string
  try {
    text = textOf(read())
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw refuse(code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'is neither UTF-8 nor UTF-16' : `cannot be read (${code})`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw refuse(`is not JSON: ${placeOf(text)}`)
  }
  const problems = catalogFileProblems(value)
  if (problems.length > 0) throw refuse(...problems.map(({ pointer, reason }) => `${pointer === '' ? 'the document' : pointer} ${reason}`))
  return dated(modelsOf(value as CatalogFile))
}

/**
 * UTF-8, or UTF-16 as Windows tools write it, with a byte order mark (which a
 * TextDecoder takes away) or without: JSON begins with an ASCII character, one byte
 * of which is zero in UTF-16. @throws Error for any other encoding, whose letters would be lost
 */
function textOf (content: Buffer): string {
  const [first, second] = content
  const isLittleEndian = (first === 0xff && second === 0xfe) || (first !== 0 && second === 0)
  const isBigEndian = (first === 0xfe && second === 0xff) || (first === 0 && second !== 0)
  return new TextDecoder(isLittleEndian ? 'utf-16le' : isBigEndian ? 'utf-16be' : 'utf-8', { fatal: true }).decode(content)
}

/**
 * The position at which a text stops being JSON. V8 gives the offset in some
 * messages only, so the longest prefix that could become JSON is searched for.
 */
function placeOf (text: string): string {
  let good = 0
  let bad = text.length + 1
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2)
    if (couldBecomeJson(text.slice(0, middle))) good = middle
    else bad = middle
  }
  const lines = text.slice(0, good).split('\n')
  return `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`
}

function couldBecomeJson (text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    const { message } = error as SyntaxError
    return /end of JSON input|Unterminated/.test(message) || message.includes(`at position ${text.length} `)
  }
}

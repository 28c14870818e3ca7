import type OpenAI from 'openai'
import type { SentRequest } from '../code/snippets.ts'
import type { ImageRunSettings } from '../ImageRunSettingsPanel.tsx'
import { openai } from '../openai.ts'
import type { Task } from '../runs.ts'

/** A picture that a model made. */
export interface Picture {
  /** A data: URL, or an address elsewhere, which this page may not load. */
  readonly url: string
  readonly elsewhere: boolean
  /** The prompt as the model read it. */
  readonly prompt?: string | undefined
}

/** The pictures of one request. */
export interface Pictures {
  readonly pictures: readonly Picture[]
  /** The model that the answer names, where it does. */
  readonly model?: string | undefined
  readonly asked: string | null
}

/** A request for pictures: of a prompt alone, or of a picture to edit. */
export function pictureTask (prompt: string, source: File | undefined, { model, size, count }: ImageRunSettings): Task<Pictures> {
  const fields = { ...(model !== null && { model }), prompt, ...(size !== null && { size }), ...(count !== null && { n: count }), response_format: 'b64_json' as const }
  const work = async (body: object, signal: AbortSignal) => {
    const { images } = await openai()
    const answer = source === undefined
      ? await images.generate(body as OpenAI.ImageGenerateParamsNonStreaming, { signal })
      : await images.edit({ ...body, image: source } as OpenAI.ImageEditParamsNonStreaming, { signal })
    return { pictures: (answer.data ?? []).map(pictureOf), model: (answer as { model?: string }).model, asked: model }
  }
  return {
    title: prompt,
    request: requestOf(fields, source),
    work: async (signal, onSend) => {
      try {
        return await work(fields, signal)
      } catch (error) {
        // OpenAI's gpt-image models always send base64, and refuse the field that asks for it.
        if ((error as { status?: number, message?: string }).status !== 400 || !/response_format/.test((error as Error).message)) throw error
        const { response_format: _, ...others } = fields
        onSend(requestOf(others, source))
        return await work(others, signal)
      }
    }
  }
}

function requestOf (fields: object, source: File | undefined): SentRequest {
  if (source === undefined) return { operation: 'image', json: fields }
  const texts = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]))
  return { operation: 'imageEdit', form: { fields: texts, file: { field: 'image', name: source.name, type: source.type } } }
}

/** How base64 of each format begins. */
const STARTS: Array<[start: string, type: string]> = [['/9j/', 'jpeg'], ['UklGR', 'webp'], ['R0lGOD', 'gif']]

function pictureOf ({ b64_json: base64, url, revised_prompt: prompt }: OpenAI.Image): Picture {
  if (base64 === undefined) return { url: url ?? '', elsewhere: !url?.startsWith('data:'), prompt }
  const type = STARTS.find(([start]) => base64.startsWith(start))?.[1] ?? 'png'
  return { url: `data:image/${type};base64,${base64}`, elsewhere: false, prompt }
}

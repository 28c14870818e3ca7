import type OpenAI from 'openai'
import { openai } from '../openai.ts'
import type { Task } from '../runs.ts'
import type { SpeechRunSettings } from '../SpeechRunSettingsPanel.tsx'

/** What came of a speech request: audio, or a text. */
export type Spoken = { readonly asked: string | null, readonly model?: string | undefined } & (
  | { readonly audio: Blob, readonly name: string }
  | { readonly text: string }
)

/** Text → audio. */
export function speakTask (input: string, { models: { speak: model }, voice, format }: SpeechRunSettings): Task<Spoken> {
  const body = { ...(model !== null && { model }), input, voice, response_format: format }
  return {
    title: input,
    request: { operation: 'speech', json: body },
    work: async signal => {
      const { audio } = await openai()
      const answer = await audio.speech.create(body as OpenAI.Audio.SpeechCreateParams, { signal })
      const blob = await answer.blob()
      const type = blob.type.replace(/^audio\/(x-)?/, '').replace('mpeg', 'mp3')
      return { asked: model, model: answer.headers.get('x-model') ?? undefined, audio: blob, name: `speech.${/^\w+$/.test(type) ? type : format}` }
    }
  }
}

/** Audio → text. */
export function transcribeTask (file: File, { models: { transcribe: model } }: SpeechRunSettings): Task<Spoken> {
  const fields = { ...(model !== null && { model }) }
  return {
    title: file.name,
    request: { operation: 'transcription', form: { fields, file: { field: 'file', name: file.name, type: file.type } } },
    work: async signal => {
      const { audio } = await openai()
      const { text } = await audio.transcriptions.create({ ...fields, file } as OpenAI.Audio.TranscriptionCreateParamsNonStreaming, { signal })
      return { asked: model, text }
    }
  }
}

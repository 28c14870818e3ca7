import type OpenAI from 'openai'
import { describeFailure, type Failure } from '../failures.ts'
import { openai } from '../openai.ts'
import type { RunSettings } from '../RunSettingsPanel.tsx'

/** What the person said. */
export interface UserMessage {
  readonly id: number
  readonly role: 'user'
  readonly text: string
  /** Attached pictures, as data: URLs. */
  readonly pictures: readonly string[]
}

export type AnswerState = 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed'

/** What a model answered, as far as it has arrived. */
export interface AnswerMessage {
  readonly id: number
  readonly role: 'assistant'
  readonly text: string
  /** What a reasoning model thought before it answered. */
  readonly thinking: string
  readonly state: AnswerState
  /** The body that was sent. */
  readonly request: ChatRequest
  /** The model that the answer names. */
  readonly model?: string | undefined
  /** Milliseconds from the request to the first token. */
  readonly firstToken?: number
  /** Milliseconds from the request to the end. */
  readonly duration?: number
  readonly usage?: { readonly input: number, readonly output: number }
  readonly failure?: Failure
}

export type Message = UserMessage | AnswerMessage

/** The body of a chat request; without `model` where the gateway is to choose. */
export type ChatRequest = Omit<OpenAI.ChatCompletionCreateParamsStreaming, 'model'> & { model?: string }

/** Tokens that arrive within this many milliseconds are shown together. */
const FRAME = 40

/** A chat: its messages, and the one request that may be under way. */
export class Conversation {
  #messages: readonly Message[] = []
  #nextId = 1
  #running: AbortController | undefined
  readonly #listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  readonly messages = () => this.#messages

  /** Says something, and asks the model for an answer. */
  send (text: string, pictures: readonly string[], settings: RunSettings): void {
    this.#become([...this.#messages, { id: this.#nextId++, role: 'user', text, pictures }])
    this.#answer(settings)
  }

  /** Ends the request under way; the gateway then ends the upstream's work. What has arrived stays. */
  stop (): void {
    this.#running?.abort()
  }

  /** Asks anew in place of an answer; later messages are dropped. */
  retry (id: number, settings: RunSettings): void {
    this.stop()
    this.#become(this.#messages.slice(0, this.#messages.findIndex(message => message.id === id)))
    this.#answer(settings)
  }

  /** Says something else in place of a message, and asks anew; later messages are dropped. */
  edit (id: number, text: string, settings: RunSettings): void {
    this.stop()
    const place = this.#messages.findIndex(message => message.id === id)
    this.#become(this.#messages.slice(0, place + 1).map(message => message.id === id && message.role === 'user' ? { ...message, text } : message))
    this.#answer(settings)
  }

  clear (): void {
    this.stop()
    this.#become([])
  }

  async #answer (settings: RunSettings): Promise<void> {
    const running = new AbortController()
    this.#running = running
    const id = this.#nextId++
    const start = performance.now()
    let answer: AnswerMessage = { id, role: 'assistant', text: '', thinking: '', state: 'waiting', request: requestOf(this.#messages, settings) }
    this.#become([...this.#messages, answer])

    let timer: ReturnType<typeof setTimeout> | undefined
    const show = () => {
      clearTimeout(timer)
      timer = undefined
      const shown = answer
      this.#become(this.#messages.map(message => message.id === id ? shown : message))
    }
    const change = (fields: Partial<AnswerMessage>) => {
      answer = { ...answer, ...fields }
      timer ??= setTimeout(show, FRAME)
    }

    try {
      const client = await openai()
      const stream = await client.chat.completions.create(answer.request as OpenAI.ChatCompletionCreateParamsStreaming, { signal: running.signal })
      let finished = false
      for await (const { model, choices, usage } of stream) {
        const [choice] = choices
        const { text, thinking } = deltaOf(choice?.delta)
        if (choice?.finish_reason) finished = true
        const first = answer.firstToken === undefined && text + thinking !== ''
        change({
          model: model || answer.model,
          ...(first && { state: 'streaming', firstToken: performance.now() - start }),
          text: answer.text + text,
          thinking: answer.thinking + thinking,
          ...(usage && { usage: { input: usage.prompt_tokens, output: usage.completion_tokens } })
        })
      }
      // An aborted stream ends like a whole one.
      if (running.signal.aborted) change({ state: 'stopped' })
      else if (finished) change({ state: 'done' })
      else change({ state: 'failed', failure: { title: 'The answer ended early', text: 'The inference service did not say that it is whole. Try again.' } })
    } catch (error) {
      if (running.signal.aborted) change({ state: 'stopped' })
      else change({ state: 'failed', failure: describeFailure(error, answer.text + answer.thinking !== '') })
    }
    change({ duration: performance.now() - start })
    show()
    if (this.#running === running) this.#running = undefined
  }

  #become (messages: readonly Message[]): void {
    this.#messages = messages
    for (const listener of this.#listeners) listener()
  }
}

/** The text of a piece; DeepSeek's and vLLM's names for a model's thinking are not in OpenAI's types. */
function deltaOf (delta: { content?: string | null, reasoning_content?: string | null, reasoning?: string | null } = {}) {
  return { text: delta.content ?? '', thinking: delta.reasoning_content ?? delta.reasoning ?? '' }
}

function requestOf (messages: readonly Message[], { model, system, temperature, maxTokens }: RunSettings): ChatRequest {
  return {
    ...(model !== null && { model }),
    messages: [
      ...(system.trim() === '' ? [] : [{ role: 'system' as const, content: system }]),
      ...messages.filter(message => message.role === 'user' || message.text !== '').map(asParam)
    ],
    ...(temperature !== null && { temperature }),
    ...(maxTokens !== null && { max_tokens: maxTokens }),
    stream: true,
    stream_options: { include_usage: true }
  }
}

function asParam (message: Message): OpenAI.ChatCompletionMessageParam {
  if (message.role === 'assistant') return { role: 'assistant', content: message.text }
  if (message.pictures.length === 0) return { role: 'user', content: message.text }
  return {
    role: 'user',
    content: [
      ...(message.text === '' ? [] : [{ type: 'text' as const, text: message.text }]),
      ...message.pictures.map(url => ({ type: 'image_url' as const, image_url: { url } }))
    ]
  }
}

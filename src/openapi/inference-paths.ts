import { Type, type TObject, type TProperties, type TSchema } from '@sinclair/typebox'

/** What the document needs to know of a proxied route. */
export interface DescribedEndpoint {
  readonly path: string
  readonly methods: readonly string[]
  readonly body: 'json' | 'multipart' | 'none'
  readonly modelType?: 'chat' | 'image' | 'speech'
}

/** A part of an OpenAPI document. */
export type OpenApiPart = Record<string, unknown>

// The gateway validates no proxied body: the inference service has the last
// word. So every schema is open, and describes what clients commonly send.
const open = <T extends TProperties>(properties: T, options = {}): TObject<T> => Type.Object(properties, { additionalProperties: true, ...options })
const anything = Type.Optional(Type.Unknown())
const text = (description: string, options = {}) => Type.String({ description, ...options })
const flag = (description: string) => Type.Boolean({ description })
const number = (description: string, options = {}) => Type.Number({ description, ...options })
const integer = (description: string, options = {}) => Type.Integer({ description, minimum: 1, ...options })
const file = (description: string) => Type.String({ format: 'binary', contentMediaType: 'application/octet-stream', description })
const o = Type.Optional

// The docs page sends a form's field with a made-up value, unless its example is empty.
const blank = { examples: [''] }

function modelField ({ modelType, body }: DescribedEndpoint): TSchema {
  if (modelType === undefined) return Type.String({ description: 'Which model. This route has no default.' })
  const fallback = `the default ${modelType} model (\`DEFAULT_${modelType.toUpperCase()}_MODEL\`)`
  return Type.Optional(body === 'multipart'
    ? text(`Which model. Absent: ${fallback}.`, blank)
    : Type.Union([Type.String(), Type.Null()], { description: `Which model. Absent, null or empty: ${fallback}.` }))
}

const Message = open({
  role: text('Who speaks.', { examples: ['user'] }),
  content: o(Type.Union([
    Type.String(),
    Type.Array(open({ type: text('Such as `text` or `image_url`.'), text: o(Type.String()) })),
    Type.Null()
  ], { description: 'Text, or parts of several kinds.' }))
})

const usage = o(open({ prompt_tokens: o(Type.Integer()), completion_tokens: o(Type.Integer()), total_tokens: o(Type.Integer()) }))
const sampling = {
  temperature: o(number('How much chance is in the choice of tokens.', { minimum: 0, maximum: 2 })),
  top_p: o(number('Draws only from the likeliest tokens that add up to this share.', { minimum: 0, maximum: 1 })),
  stream: o(flag('Answers token by token, as server-sent events that end in `data: [DONE]`.'))
}
const writing = {
  ...sampling,
  max_tokens: o(integer('Most tokens of the answer.')),
  stop: o(Type.Union([Type.String(), Type.Array(Type.String()), Type.Null()], { description: 'Where the answer ends.' })),
  seed: o(Type.Integer({ description: 'Makes answers repeatable. Passed on digit by digit, also beyond 2^53.' })),
  stream_options: o(open({ include_usage: o(flag('Sends the usage in a last event.')) }))
}
const picture = {
  n: o(integer('How many images.', { maximum: 10 })),
  size: o(text('Width by height in pixels, such as `1024x1024`.', blank)),
  response_format: o(text('`b64_json` or `url`.', blank))
}

const Completion = open({
  id: Type.String(),
  object: Type.String(),
  created: Type.Integer(),
  model: Type.String(),
  choices: Type.Array(open({ index: Type.Integer(), message: o(Message), text: o(Type.String()), finish_reason: o(Type.Union([Type.String(), Type.Null()])) })),
  usage
})
const Images = open({
  created: Type.Integer(),
  data: Type.Array(open({ b64_json: o(text('The image, base64.')), url: o(Type.String()), revised_prompt: o(Type.String()) }))
})
const Transcription = open({ text: text('What was said.') })
const Answer = open({})

interface Example { summary: string, value: unknown }

interface Description {
  operationId: string
  summary: string
  description?: string
  /** The fields of the body, but `model`. */
  fields: TProperties
  /** Bodies to try. They name no model, so that they run on any inference service. */
  examples?: Record<string, Example>
  /** Schema name and schema of the answer, or the media type of one that is not JSON. */
  answer: readonly [name: string, schema: TSchema] | string
  streams?: boolean
}

const DESCRIPTIONS: Record<string, Description> = {
  'chat/completions': {
    operationId: 'createChatCompletion',
    summary: 'Chat',
    description: 'Answers a conversation. The body reaches the inference service byte for byte; only a missing `model` is put in.',
    fields: {
      messages: Type.Array(Message, { description: 'The conversation so far.' }),
      ...writing,
      max_completion_tokens: o(integer('Most tokens of the answer, those spent on thinking included.')),
      tools: o(Type.Array(open({}), { description: 'Functions that the model may ask to have called.' })),
      tool_choice: anything,
      response_format: o(open({}, { description: 'The form of the answer, such as a JSON schema.' }))
    },
    examples: {
      plain: { summary: 'In one piece', value: { messages: [{ role: 'user', content: 'Say hello.' }] } },
      streamed: { summary: 'Token by token', value: { stream: true, messages: [{ role: 'system', content: 'You are brief.' }, { role: 'user', content: 'Say hello.' }] } }
    },
    answer: ['ChatCompletion', Completion],
    streams: true
  },
  completions: {
    operationId: 'createCompletion',
    summary: 'Complete a text',
    fields: {
      prompt: Type.Union([Type.String(), Type.Array(Type.Unknown())], { description: 'The text to go on with.' }),
      ...writing
    },
    examples: { plain: { summary: 'In one piece', value: { prompt: 'Once upon a time', max_tokens: 32 } } },
    answer: ['ChatCompletion', Completion],
    streams: true
  },
  responses: {
    operationId: 'createResponse',
    summary: 'Respond',
    description: 'The Responses API, where the inference service has it.',
    fields: {
      input: Type.Union([Type.String(), Type.Array(open({}))], { description: 'A text, or a list of items.' }),
      instructions: o(Type.Union([Type.String(), Type.Null()], { description: 'What holds for the whole conversation.' })),
      max_output_tokens: o(integer('Most tokens of the answer.')),
      ...sampling
    },
    examples: { plain: { summary: 'In one piece', value: { input: 'Say hello.' } } },
    answer: ['Answer', Answer],
    streams: true
  },
  'images/generations': {
    operationId: 'createImage',
    summary: 'Make an image',
    fields: { prompt: text('What to draw.'), negative_prompt: o(text('What to leave out, where the service knows it.')), ...picture },
    examples: { plain: { summary: 'One image', value: { prompt: 'A lighthouse at dawn', response_format: 'b64_json' } } },
    answer: ['Images', Images]
  },
  'images/edits': {
    operationId: 'createImageEdit',
    summary: 'Edit an image',
    fields: { image: file('The image.'), mask: o(file('An image whose transparent places are drawn anew.')), prompt: text('What to draw.'), ...picture },
    answer: ['Images', Images]
  },
  'images/variations': {
    operationId: 'createImageVariation',
    summary: 'Vary an image',
    fields: { image: file('The image.'), ...picture },
    answer: ['Images', Images]
  },
  'audio/speech': {
    operationId: 'createSpeech',
    summary: 'Speak a text',
    fields: {
      input: text('What to say.'),
      voice: o(text('Whose voice.')),
      response_format: o(text('Such as `mp3`, `wav` or `opus`.')),
      speed: o(number('1 is the usual speed.'))
    },
    examples: { plain: { summary: 'As a WAV file', value: { input: 'Hello.', voice: 'alloy', response_format: 'wav' } } },
    answer: 'audio/*'
  },
  'audio/transcriptions': {
    operationId: 'createTranscription',
    summary: 'Write down what is said',
    fields: { file: file('The recording.'), language: o(text('The language that is spoken, as ISO 639-1.', blank)), prompt: o(text('What was said before.', blank)), response_format: o(text('Such as `json`, `text` or `srt`.', blank)) },
    answer: ['Transcription', Transcription]
  },
  'audio/translations': {
    operationId: 'createTranslation',
    summary: 'Write down in English what is said',
    fields: { file: file('The recording.'), prompt: o(text('What was said before, in English.', blank)), response_format: o(text('Such as `json`, `text` or `srt`.', blank)) },
    answer: ['Transcription', Transcription]
  },
  embeddings: {
    operationId: 'createEmbedding',
    summary: 'Embed texts',
    fields: { input: Type.Union([Type.String(), Type.Array(Type.Unknown())], { description: 'One text, or several.' }), encoding_format: o(text('`float` or `base64`.')), dimensions: o(integer('Length of each vector.')) },
    examples: { plain: { summary: 'Two texts', value: { input: ['a cat', 'a dog'] } } },
    answer: ['Answer', Answer]
  },
  moderations: {
    operationId: 'createModeration',
    summary: 'Classify texts as harmful or not',
    fields: { input: Type.Union([Type.String(), Type.Array(Type.Unknown())], { description: 'One text, or several.' }) },
    examples: { plain: { summary: 'One text', value: { input: 'Hello.' } } },
    answer: ['Answer', Answer]
  },
  rerank: {
    operationId: 'rerank',
    summary: 'Order documents by how well they answer a query',
    fields: { query: text('The query.'), documents: Type.Array(Type.Unknown(), { description: 'The documents.' }), top_n: o(integer('How many to return.')) },
    examples: { plain: { summary: 'Two documents', value: { query: 'Who barks?', documents: ['Dogs bark.', 'Cats meow.'] } } },
    answer: ['Answer', Answer]
  }
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1)
const schemaRef = (name: string) => ({ $ref: `#/components/schemas/${name}` })

/** `v2/rerank` → `V2Rerank`. */
const pascal = (path: string) => path.split(/[^A-Za-z0-9]+/).map(capital).join('')

/**
 * The proxied endpoints as OpenAPI: real paths below `/v1` and `/openai/v1`, and
 * the schemas that they share.
 */
export function describeEndpoints (endpoints: readonly DescribedEndpoint[]): { paths: Record<string, OpenApiPart>, schemas: Record<string, TSchema> } {
  const paths: Record<string, OpenApiPart> = {}
  const schemas: Record<string, TSchema> = {}
  for (const endpoint of endpoints) {
    const description = DESCRIPTIONS[endpoint.path]
    if (description !== undefined) {
      schemas[requestName(description)] = open({ ...description.fields, model: modelField(endpoint) })
      if (typeof description.answer !== 'string') schemas[description.answer[0]] = description.answer[1]
    }
    for (const [prefix, tag] of [['/v1', 'inference'], ['/openai/v1', 'openai']] as const) {
      paths[`${prefix}/${endpoint.path}`] = Object.fromEntries(endpoint.methods.map(method => [
        method.toLowerCase(),
        description === undefined ? describeExtra(endpoint, method, tag) : describe(description, endpoint, tag)
      ]))
    }
  }
  return { paths, schemas }
}

const requestName = ({ operationId }: Description) => `${capital(operationId)}Request`
/** Operation ids are unique in a document; the SDKs' base URL repeats every route. */
const idBelow = (tag: string, id: string) => tag === 'openai' ? `${id}OpenAI` : id

function describe (description: Description, endpoint: DescribedEndpoint, tag: string): OpenApiPart {
  const { operationId, summary, examples, answer, streams } = description
  const mediaType = endpoint.body === 'multipart' ? 'multipart/form-data' : 'application/json'
  const content: OpenApiPart = typeof answer === 'string'
    ? { [answer]: { schema: { type: 'string', format: 'binary' } } }
    : { 'application/json': { schema: schemaRef(answer[0]) } }
  if (streams) content['text/event-stream'] = { schema: { type: 'string', description: 'Events; the last one is `data: [DONE]`. A stream that breaks ends in an event with an `error`, and without it.' } }
  return {
    operationId: idBelow(tag, operationId),
    tags: [tag],
    summary,
    ...(description.description === undefined ? {} : { description: description.description }),
    requestBody: { required: true, content: { [mediaType]: { schema: schemaRef(requestName(description)), ...(examples === undefined ? {} : { examples }) } } },
    responses: { 200: { description: 'What the inference service answers.', content } }
  }
}

function describeExtra ({ path }: DescribedEndpoint, method: string, tag: string): OpenApiPart {
  return {
    operationId: idBelow(tag, method.toLowerCase() + pascal(path)),
    tags: [tag],
    summary: `Passed on to the inference service's ${path}`,
    ...(method === 'GET' ? {} : { requestBody: { content: { '*/*': { schema: {} } } } }),
    responses: { 200: { description: 'What the inference service answers.' } }
  }
}

import { Type, type TObject, type TProperties, type TSchema } from '@sinclair/typebox'

/** A proxied route, as the document describes it. */
export interface DescribedEndpoint {
  /** Below `/v1`, as a Fastify pattern. */
  readonly path: string
  readonly methods: readonly string[]
  readonly modelType?: 'chat' | 'image' | 'speech'
}

/** A part of an OpenAPI document. */
export type OpenApiPart = Record<string, unknown>

// The gateway does not validate a proxied body: the inference service does. So
// every schema is open, and describes what clients commonly send.
const open = <T extends TProperties>(properties: T, options = {}): TObject<T> => Type.Object(properties, { additionalProperties: true, ...options })
const anything = Type.Optional(Type.Unknown())
const text = (description: string, options = {}) => Type.String({ description, ...options })
const flag = (description: string) => Type.Boolean({ description })
const number = (description: string, options = {}) => Type.Number({ description, ...options })
const integer = (description: string, options = {}) => Type.Integer({ description, minimum: 1, ...options })
const file = (description: string) => Type.String({ format: 'binary', contentMediaType: 'application/octet-stream', description })
const o = Type.Optional

// The docs page sends an invented value for a form field unless its example is empty.
const blank = { examples: [''] }

function modelField ({ modelType }: DescribedEndpoint, isForm: boolean): TSchema {
  if (modelType === undefined) return Type.String({ description: 'The model. This route has no default.' })
  const fallback = `the default ${modelType} model (\`DEFAULT_${modelType.toUpperCase()}_MODEL\`)`
  return Type.Optional(isForm
    ? text(`The model. Absent: ${fallback}.`, blank)
    : Type.Union([Type.String(), Type.Null()], { description: `The model. Absent, null or empty: ${fallback}.` }))
}

const Message = open({
  role: text('The role of the author.', { examples: ['user'] }),
  content: o(Type.Union([
    Type.String(),
    Type.Array(open({ type: text('Such as `text` or `image_url`.'), text: o(Type.String()) })),
    Type.Null()
  ], { description: 'Text, or parts of several kinds.' }))
})

const usage = o(open({ prompt_tokens: o(Type.Integer()), completion_tokens: o(Type.Integer()), total_tokens: o(Type.Integer()) }))
const sampling = {
  temperature: o(number('Sampling temperature.', { minimum: 0, maximum: 2 })),
  top_p: o(number('Nucleus sampling: only the most likely tokens whose probabilities add up to this are sampled.', { minimum: 0, maximum: 1 })),
  stream: o(flag('Stream the answer as server-sent events that end with `data: [DONE]`.'))
}
const writing = {
  ...sampling,
  max_tokens: o(integer('Maximum number of tokens in the answer.')),
  stop: o(Type.Union([Type.String(), Type.Array(Type.String()), Type.Null()], { description: 'Sequences at which the answer stops.' })),
  seed: o(Type.Integer({ description: 'Seed for repeatable answers. Passed on unchanged, above 2^53 too.' })),
  stream_options: o(open({ include_usage: o(flag('Send the token usage in a last event.')) }))
}
const picture = {
  n: o(integer('Number of images.', { maximum: 10 })),
  size: o(text('Width and height in pixels, such as `1024x1024`.', blank)),
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
const Transcription = open({ text: text('The transcript.') })
const Answer = open({})

interface Example { summary: string, value: unknown }

const JSON_TYPE = 'application/json'
const FORM = 'multipart/form-data'

interface Description {
  operationId: string
  summary: string
  description?: string
  /** Media types of the body. Default: JSON. */
  bodies?: readonly string[]
  /** The fields of the body, without `model`. Absent: the operation has no body. */
  fields?: TProperties
  /** Example bodies. They name no model, so that they work with any inference service. */
  examples?: Record<string, Example>
  /** Schema name and schema of the answer, or the media type of one that is not JSON. */
  answer: readonly [name: string, schema: TSchema] | string
  streams?: boolean
}

/** Parameters of paths, by name. */
const PARAMETERS: Record<string, string> = { id: 'The id of the response.' }

/** By method and path. */
const DESCRIPTIONS: Record<string, Description> = {
  'POST chat/completions': {
    operationId: 'createChatCompletion',
    summary: 'Chat',
    description: 'Answers a conversation. The body reaches the inference service byte for byte; only a missing `model` is added.',
    fields: {
      messages: Type.Array(Message, { description: 'The conversation so far.' }),
      ...writing,
      max_completion_tokens: o(integer('Maximum number of tokens in the answer, with those of its reasoning.')),
      tools: o(Type.Array(open({}), { description: 'Functions that the model may call.' })),
      tool_choice: anything,
      response_format: o(open({}, { description: 'Format of the answer, such as a JSON schema.' }))
    },
    examples: {
      plain: { summary: 'Not streamed', value: { messages: [{ role: 'user', content: 'Say hello.' }] } },
      streamed: { summary: 'Streamed', value: { stream: true, messages: [{ role: 'system', content: 'You are brief.' }, { role: 'user', content: 'Say hello.' }] } }
    },
    answer: ['ChatCompletion', Completion],
    streams: true
  },
  'POST completions': {
    operationId: 'createCompletion',
    summary: 'Complete a text',
    fields: {
      prompt: Type.Union([Type.String(), Type.Array(Type.Unknown())], { description: 'The text to complete.' }),
      ...writing
    },
    examples: { plain: { summary: 'Not streamed', value: { prompt: 'Once upon a time', max_tokens: 32 } } },
    answer: ['ChatCompletion', Completion],
    streams: true
  },
  'POST responses': {
    operationId: 'createResponse',
    summary: 'Create a response',
    description: 'The Responses API, where the inference service supports it.',
    fields: {
      input: Type.Union([Type.String(), Type.Array(open({}))], { description: 'A text, or a list of items.' }),
      instructions: o(Type.Union([Type.String(), Type.Null()], { description: 'Instructions for the whole conversation.' })),
      max_output_tokens: o(integer('Maximum number of tokens in the answer.')),
      ...sampling
    },
    examples: { plain: { summary: 'Not streamed', value: { input: 'Say hello.' } } },
    answer: ['Answer', Answer],
    streams: true
  },
  'GET responses/:id': { operationId: 'getResponse', summary: 'Get a response', answer: ['Answer', Answer], streams: true },
  'DELETE responses/:id': { operationId: 'deleteResponse', summary: 'Delete a response', answer: ['Answer', Answer] },
  'POST responses/:id/cancel': { operationId: 'cancelResponse', summary: 'Cancel a response that runs in the background', answer: ['Answer', Answer] },
  'GET responses/:id/input_items': { operationId: 'listInputItems', summary: 'List the input of a response', answer: ['Answer', Answer] },
  'POST messages': {
    operationId: 'createMessage',
    summary: 'Chat, by Anthropic\'s API',
    description: 'The Messages API, where the inference service supports it. The gateway\'s own errors have the shape of that API here.',
    fields: { messages: Type.Array(Message, { description: 'The conversation so far.' }), max_tokens: integer('Maximum number of tokens in the answer.'), system: anything, ...sampling },
    examples: { plain: { summary: 'Not streamed', value: { max_tokens: 64, messages: [{ role: 'user', content: 'Say hello.' }] } } },
    answer: ['Answer', Answer],
    streams: true
  },
  'POST messages/count_tokens': {
    operationId: 'countMessageTokens',
    summary: 'Count the tokens of a message, by Anthropic\'s API',
    fields: { messages: Type.Array(Message, { description: 'The conversation so far.' }), system: anything },
    examples: { plain: { summary: 'One message', value: { messages: [{ role: 'user', content: 'Say hello.' }] } } },
    answer: ['Answer', Answer]
  },
  'POST images/generations': {
    operationId: 'createImage',
    summary: 'Generate images',
    fields: { prompt: text('Description of the image.'), negative_prompt: o(text('What the image must not show. Not every service supports it.')), ...picture },
    examples: { plain: { summary: 'One image', value: { prompt: 'A lighthouse at dawn', response_format: 'b64_json' } } },
    answer: ['Images', Images]
  },
  'POST images/edits': {
    operationId: 'createImageEdit',
    summary: 'Edit an image',
    description: 'As a form with files, or as JSON with image URLs.',
    bodies: [FORM, JSON_TYPE],
    fields: { image: file('The image.'), mask: o(file('An image whose transparent areas mark what is edited.')), prompt: text('Description of the image.'), ...picture },
    answer: ['Images', Images]
  },
  'POST images/variations': {
    operationId: 'createImageVariation',
    summary: 'Create variations of an image',
    bodies: [FORM],
    fields: { image: file('The image.'), ...picture },
    answer: ['Images', Images]
  },
  'POST audio/speech': {
    operationId: 'createSpeech',
    summary: 'Convert text to speech',
    fields: {
      input: text('The text to speak.'),
      voice: o(text('The voice.')),
      response_format: o(text('Such as `mp3`, `wav` or `opus`.')),
      speed: o(number('Speed; 1 is normal.'))
    },
    examples: { plain: { summary: 'As a WAV file', value: { input: 'Hello.', voice: 'alloy', response_format: 'wav' } } },
    answer: 'audio/*'
  },
  'POST audio/transcriptions': {
    operationId: 'createTranscription',
    summary: 'Transcribe a recording',
    bodies: [FORM],
    fields: { file: file('The recording.'), language: o(text('The spoken language, as ISO 639-1.', blank)), prompt: o(text('Text that comes before the recording.', blank)), response_format: o(text('Such as `json`, `text` or `srt`.', blank)) },
    answer: ['Transcription', Transcription]
  },
  'POST audio/translations': {
    operationId: 'createTranslation',
    summary: 'Transcribe a recording into English',
    bodies: [FORM],
    fields: { file: file('The recording.'), prompt: o(text('Text that comes before the recording, in English.', blank)), response_format: o(text('Such as `json`, `text` or `srt`.', blank)) },
    answer: ['Transcription', Transcription]
  },
  'POST embeddings': {
    operationId: 'createEmbedding',
    summary: 'Create embeddings',
    fields: { input: Type.Union([Type.String(), Type.Array(Type.Unknown())], { description: 'One text, or several.' }), encoding_format: o(text('`float` or `base64`.')), dimensions: o(integer('Length of each vector.')) },
    examples: { plain: { summary: 'Two texts', value: { input: ['a cat', 'a dog'] } } },
    answer: ['Answer', Answer]
  },
  'POST moderations': {
    operationId: 'createModeration',
    summary: 'Check texts for harmful content',
    fields: { input: Type.Union([Type.String(), Type.Array(Type.Unknown())], { description: 'One text, or several.' }) },
    examples: { plain: { summary: 'One text', value: { input: 'Hello.' } } },
    answer: ['Answer', Answer]
  },
  'POST rerank': {
    operationId: 'rerank',
    summary: 'Rank documents by relevance to a query',
    fields: { query: text('The query.'), documents: Type.Array(Type.Unknown(), { description: 'The documents.' }), top_n: o(integer('Number of documents to return.')) },
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
export function describeEndpoints (endpoints: readonly DescribedEndpoint[]): { paths: Record<string, Record<string, OpenApiPart>>, schemas: Record<string, TSchema> } {
  const paths: Record<string, Record<string, OpenApiPart>> = {}
  const schemas: Record<string, TSchema> = {}
  for (const endpoint of endpoints) {
    for (const method of endpoint.methods) {
      const description = DESCRIPTIONS[`${method} ${endpoint.path}`]
      if (description !== undefined) Object.assign(schemas, schemasOf(description, endpoint))
      for (const [prefix, tag] of [['/v1', 'inference'], ['/openai/v1', 'openai']] as const) {
        const path = `${prefix}/${openApiPath(endpoint.path)}`
        paths[path] = {
          ...paths[path],
          [method.toLowerCase()]: {
            ...parametersOf(endpoint.path),
            ...(description === undefined ? describeExtra(endpoint, method, tag) : describe(description, tag))
          }
        }
      }
    }
  }
  return { paths, schemas }
}

function schemasOf (description: Description, endpoint: DescribedEndpoint): Record<string, TSchema> {
  const { fields, answer } = description
  return {
    ...(fields !== undefined && { [requestName(description)]: open({ ...fields, model: modelField(endpoint, bodiesOf(description)[0] === FORM) }) }),
    ...(typeof answer !== 'string' && { [answer[0]]: answer[1] })
  }
}

/** `responses/:id` → `responses/{id}`, `files/*` → `files/{path}`; an operator's `a::b` is `a:b`. */
function openApiPath (pattern: string): string {
  return pattern.replace(/(^|\/):(\w+)/g, '$1{$2}').replace(/\*$/, '{path}').replaceAll('::', ':')
}

function parametersOf (pattern: string): OpenApiPart {
  const names = [...openApiPath(pattern).matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  if (names.length === 0) return {}
  return { parameters: names.map(name => ({ name, in: 'path', required: true, description: PARAMETERS[name] ?? 'The rest of the path; it may hold slashes.', schema: { type: 'string' } })) }
}

const bodiesOf = ({ bodies = [JSON_TYPE] }: Description) => bodies
const requestName = ({ operationId }: Description) => `${capital(operationId)}Request`
/** Operation ids must be unique in a document, and `/openai/v1` repeats every route. */
const idBelow = (tag: string, id: string) => tag === 'openai' ? `${id}OpenAI` : id

function describe (description: Description, tag: string): OpenApiPart {
  const { operationId, summary, examples, answer, streams, fields } = description
  const content: OpenApiPart = typeof answer === 'string'
    ? { [answer]: { schema: { type: 'string', format: 'binary' } } }
    : { [JSON_TYPE]: { schema: schemaRef(answer[0]) } }
  if (streams) content['text/event-stream'] = { schema: { type: 'string', description: 'Server-sent events. The last one is `data: [DONE]`. A broken stream ends with an event that has an `error`, and without `[DONE]`.' } }
  const body = { schema: schemaRef(requestName(description)), ...(examples === undefined ? {} : { examples }) }
  return {
    operationId: idBelow(tag, operationId),
    tags: [tag],
    summary,
    ...(description.description === undefined ? {} : { description: description.description }),
    ...(fields !== undefined && { requestBody: { required: true, content: Object.fromEntries(bodiesOf(description).map(type => [type, body])) } }),
    responses: { 200: { description: 'The answer of the inference service.', content } }
  }
}

function describeExtra ({ path }: DescribedEndpoint, method: string, tag: string): OpenApiPart {
  return {
    operationId: idBelow(tag, method.toLowerCase() + pascal(path.replace('*', 'path'))),
    tags: [tag],
    summary: `Passed on to the inference service's ${openApiPath(path)}`,
    ...(method === 'GET' || method === 'DELETE' ? {} : { requestBody: { content: { '*/*': { schema: {} } } } }),
    responses: { 200: { description: 'The answer of the inference service.' } }
  }
}

/**
 * Answers as services send them, shortened: each after the shape that its source
 * documents, with what a reader of its usage must find.
 */
import type { Usage } from '../../src/telemetry/usage/usage.ts'

/** One answer and what it says of itself. */
export interface RecordedAnswer {
  readonly name: string
  /** Where the shape is documented. */
  readonly source: string
  readonly contentType: string
  readonly body: string
  readonly usage: Usage | undefined
  readonly model: string | undefined
}

const JSON_TYPE = 'application/json'
const STREAM_TYPE = 'text/event-stream; charset=utf-8'

/** Events of `data` alone, as OpenAI's chat has them. */
const events = (...data: (object | string)[]) => data.map(item => `data: ${typeof item === 'string' ? item : JSON.stringify(item)}\n\n`).join('')
/** Events that are named by their `type`, as OpenAI's responses and Anthropic's messages have them. */
const named = (...data: { type: string }[]) => data.map(item => `event: ${item.type}\ndata: ${JSON.stringify(item)}\n\n`).join('')

const chunk = (model: string, delta: object, rest: object = {}) => ({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1700000000, model, choices: [{ index: 0, delta, logprobs: null, finish_reason: null }], ...rest })
const TRAP = 'A text with "usage":{"prompt_tokens":999,"completion_tokens":999} and \\"timings\\":{"prompt_n":999} { [ "model":"wrong" \u2028 \\'

/** One row for each server and kind of answer. */
export const RECORDED: readonly RecordedAnswer[] = [
  {
    name: 'OpenAI chat, whole',
    source: 'https://platform.openai.com/docs/api-reference/chat/object',
    contentType: JSON_TYPE,
    body: JSON.stringify({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1741570283,
      model: 'gpt-4o-2024-08-06',
      choices: [{ index: 0, message: { role: 'assistant', content: TRAP, refusal: null, annotations: [], tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"usage":{"prompt_tokens":999}}' } }] }, logprobs: null, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1117, completion_tokens: 46, total_tokens: 1163, prompt_tokens_details: { cached_tokens: 1024, audio_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 12, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 } },
      service_tier: 'default',
      system_fingerprint: 'fp_fc9f1d7035'
    }, null, 2),
    usage: { input: 1117, output: 46, cachedInput: 1024, reasoning: 12 },
    model: 'gpt-4o-2024-08-06'
  },
  {
    name: 'OpenAI chat, streamed with include_usage',
    source: 'https://platform.openai.com/docs/api-reference/chat-streaming',
    contentType: STREAM_TYPE,
    body: events(
      chunk('gpt-4o-mini', { role: 'assistant', content: '' }, { usage: null }),
      chunk('gpt-4o-mini', { content: TRAP }, { usage: null }),
      chunk('gpt-4o-mini', { content: 'usage' }, { usage: null }),
      { ...chunk('gpt-4o-mini', {}), choices: [], usage: { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29, prompt_tokens_details: { cached_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 4 } } },
      '[DONE]'
    ),
    usage: { input: 19, output: 10, cachedInput: 0, reasoning: 4 },
    model: 'gpt-4o-mini'
  },
  {
    name: 'OpenAI chat, streamed without usage',
    source: 'https://platform.openai.com/docs/api-reference/chat-streaming',
    contentType: STREAM_TYPE,
    body: events(chunk('gpt-4o-mini', { role: 'assistant', content: '' }), chunk('gpt-4o-mini', { content: TRAP }), chunk('gpt-4o-mini', { content: 'usage' }), '[DONE]'),
    usage: undefined,
    model: 'gpt-4o-mini'
  },
  {
    name: 'vLLM chat, streamed with --enable-force-include-usage',
    source: 'https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html',
    contentType: STREAM_TYPE,
    body: events(
      chunk('org/model-7b', { role: 'assistant', content: '', reasoning_content: null }),
      chunk('org/model-7b', { content: TRAP }, { usage: { prompt_tokens: 6, total_tokens: 7, completion_tokens: 1 } }),
      chunk('org/model-7b', { content: '.' }, { usage: { prompt_tokens: 6, total_tokens: 8, completion_tokens: 2 } }),
      { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1700000000, model: 'org/model-7b', choices: [], usage: { prompt_tokens: 6, total_tokens: 16, completion_tokens: 10, prompt_tokens_details: null } },
      '[DONE]'
    ),
    usage: { input: 6, output: 10 },
    model: 'org/model-7b'
  },
  {
    name: 'vLLM completions, whole',
    source: 'https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html',
    contentType: JSON_TYPE,
    body: JSON.stringify({ id: 'cmpl-1', object: 'text_completion', created: 1700000000, model: '/root/models/x', choices: [{ index: 0, text: TRAP, logprobs: { token_logprobs: [-0.1, -2e-7], top_logprobs: [{ '{"usage":{': -1 }] }, finish_reason: 'length', stop_reason: null, prompt_logprobs: null }], service_tier: null, system_fingerprint: null, usage: { prompt_tokens: 3, total_tokens: 19, completion_tokens: 16, prompt_tokens_details: { cached_tokens: 2 } }, kv_transfer_params: null }),
    usage: { input: 3, output: 16, cachedInput: 2 },
    model: '/root/models/x'
  },
  {
    name: 'llama.cpp chat, streamed: timings only',
    source: 'https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (timings)',
    contentType: STREAM_TYPE,
    body: events(
      chunk('C:\\models\\x.gguf', { role: 'assistant', content: null }),
      chunk('C:\\models\\x.gguf', { content: TRAP }),
      { ...chunk('C:\\models\\x.gguf', {}), choices: [{ finish_reason: 'stop', index: 0, delta: {} }], system_fingerprint: 'b5000-abc', timings: { cache_n: 236, prompt_n: 1, prompt_ms: 30.958, prompt_per_token_ms: 30.958, prompt_per_second: 32.3, predicted_n: 35, predicted_ms: 661.064, predicted_per_token_ms: 18.887, predicted_per_second: 52.9 } },
      '[DONE]'
    ),
    usage: { input: 237, output: 35, cachedInput: 236 },
    model: 'C:\\models\\x.gguf'
  },
  {
    name: 'llama.cpp chat, whole: usage and timings',
    source: 'https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (timings)',
    contentType: JSON_TYPE,
    body: JSON.stringify({ choices: [{ finish_reason: 'stop', index: 0, message: { role: 'assistant', content: TRAP } }], created: 1700000000, model: 'x.gguf', system_fingerprint: 'b5000-abc', object: 'chat.completion', usage: { completion_tokens: 35, prompt_tokens: 237, total_tokens: 272 }, id: 'chatcmpl-1', timings: { cache_n: 236, prompt_n: 1, predicted_n: 35 } }),
    usage: { input: 237, output: 35 },
    model: 'x.gguf'
  },
  {
    name: 'Ollama chat, streamed with include_usage',
    source: 'https://github.com/ollama/ollama/blob/main/docs/openai.md',
    contentType: 'text/event-stream',
    body: events(
      { ...chunk('llama3.2', { role: 'assistant', content: TRAP }), system_fingerprint: 'fp_ollama' },
      { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1700000000, model: 'llama3.2', system_fingerprint: 'fp_ollama', choices: [], usage: { prompt_tokens: 26, completion_tokens: 298, total_tokens: 324 } },
      '[DONE]'
    ),
    usage: { input: 26, output: 298 },
    model: 'llama3.2'
  },
  {
    name: 'SGLang chat, streamed with include_usage',
    source: 'https://docs.sglang.ai/basic_usage/openai_api_completions.html',
    contentType: STREAM_TYPE,
    body: events(
      chunk('org/model', { role: 'assistant', content: '', reasoning_content: null, tool_calls: null }, { usage: null }),
      chunk('org/model', { content: TRAP }, { usage: null }),
      { id: '1', object: 'chat.completion.chunk', created: 1700000000, model: 'org/model', choices: [], usage: { prompt_tokens: 37, total_tokens: 69, completion_tokens: 32, prompt_tokens_details: null, reasoning_tokens: 20 } },
      '[DONE]'
    ),
    usage: { input: 37, output: 32, reasoning: 20 },
    model: 'org/model'
  },
  {
    name: 'OpenAI responses, whole',
    source: 'https://platform.openai.com/docs/api-reference/responses/object',
    contentType: JSON_TYPE,
    body: JSON.stringify({ id: 'resp_1', object: 'response', status: 'completed', error: null, instructions: TRAP, model: 'gpt-4.1-2025-04-14', output: [{ type: 'message', content: [{ type: 'output_text', text: TRAP, annotations: [] }] }], tools: [{ type: 'function', parameters: { usage: { input_tokens: 999 } } }], usage: { input_tokens: 36, input_tokens_details: { cached_tokens: 8 }, output_tokens: 87, output_tokens_details: { reasoning_tokens: 64 }, total_tokens: 123 }, user: null, metadata: { usage: 'mine' } }),
    usage: { input: 36, output: 87, cachedInput: 8, reasoning: 64 },
    model: 'gpt-4.1-2025-04-14'
  },
  {
    name: 'OpenAI responses, streamed',
    source: 'https://platform.openai.com/docs/api-reference/responses-streaming',
    contentType: STREAM_TYPE,
    body: named(
      { type: 'response.created', response: { id: 'resp_1', status: 'in_progress', model: 'gpt-4.1-2025-04-14', output: [], usage: null } } as { type: string },
      { type: 'response.in_progress', response: { id: 'resp_1', status: 'in_progress', model: 'gpt-4.1-2025-04-14', output: [], usage: null } } as { type: string },
      { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 0, content_index: 0, delta: TRAP } as { type: string },
      { type: 'response.completed', response: { id: 'resp_1', status: 'completed', model: 'gpt-4.1-2025-04-14', output: [{ type: 'message', content: [{ type: 'output_text', text: TRAP }] }], usage: { input_tokens: 37, input_tokens_details: { cached_tokens: 0 }, output_tokens: 11, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 48 }, user: null, metadata: {} } } as { type: string }
    ),
    usage: { input: 37, output: 11, cachedInput: 0, reasoning: 0 },
    model: 'gpt-4.1-2025-04-14'
  },
  {
    name: 'Anthropic messages, whole',
    source: 'https://docs.anthropic.com/en/api/messages',
    contentType: JSON_TYPE,
    body: JSON.stringify({ id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5-20250929', content: [{ type: 'text', text: TRAP }, { type: 'tool_use', id: 'toolu_1', name: 'f', input: { usage: { input_tokens: 999, output_tokens: 999 }, model: 'wrong' } }], stop_reason: 'tool_use', stop_sequence: null, usage: { input_tokens: 2095, cache_creation_input_tokens: 2051, cache_read_input_tokens: 2051, cache_creation: { ephemeral_5m_input_tokens: 2051, ephemeral_1h_input_tokens: 0 }, output_tokens: 503, service_tier: 'standard' } }),
    usage: { input: 2095 + 2051 + 2051, output: 503, cachedInput: 2051 },
    model: 'claude-sonnet-4-5-20250929'
  },
  {
    name: 'Anthropic messages, streamed',
    source: 'https://docs.anthropic.com/en/docs/build-with-claude/streaming',
    contentType: STREAM_TYPE,
    body: named(
      { type: 'message_start', message: { id: 'msg_1', type: 'message', role: 'assistant', content: [], model: 'claude-sonnet-4-5-20250929', stop_reason: null, stop_sequence: null, usage: { input_tokens: 25, cache_creation_input_tokens: 5, cache_read_input_tokens: 70, output_tokens: 1 } } } as { type: string },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } } as { type: string },
      { type: 'ping' },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: TRAP } } as { type: string },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"usage":{"output_tokens":999}}' } } as { type: string },
      { type: 'content_block_stop', index: 0 } as { type: string },
      { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 15 } } as { type: string },
      { type: 'message_stop' }
    ),
    usage: { input: 100, output: 15, cachedInput: 70 },
    model: 'claude-sonnet-4-5-20250929'
  },
  {
    name: 'OpenAI embeddings',
    source: 'https://platform.openai.com/docs/api-reference/embeddings/create',
    contentType: JSON_TYPE,
    body: JSON.stringify({ object: 'list', data: [{ object: 'embedding', embedding: [0.0023064255, -0.009327292, 1e-7], index: 0 }], model: 'text-embedding-ada-002', usage: { prompt_tokens: 8, total_tokens: 8 } }),
    usage: { input: 8 },
    model: 'text-embedding-ada-002'
  },
  {
    name: 'OpenAI images of gpt-image',
    source: 'https://platform.openai.com/docs/api-reference/images/create',
    contentType: JSON_TYPE,
    body: JSON.stringify({ created: 1713833628, data: [{ b64_json: 'iVBORw0KGgo'.repeat(50) }], usage: { total_tokens: 100, input_tokens: 50, output_tokens: 50, input_tokens_details: { text_tokens: 10, image_tokens: 40 } } }),
    usage: { input: 50, output: 50 },
    model: undefined
  },
  {
    name: 'OpenAI images of gpt-image, streamed',
    source: 'https://platform.openai.com/docs/api-reference/images-streaming',
    contentType: STREAM_TYPE,
    body: named(
      { type: 'image_generation.partial_image', b64_json: 'iVBORw0KGgo'.repeat(50), partial_image_index: 0 } as { type: string },
      { type: 'image_generation.completed', b64_json: 'iVBORw0KGgo'.repeat(50), usage: { total_tokens: 100, input_tokens: 50, output_tokens: 50, input_tokens_details: { text_tokens: 10, image_tokens: 40 } } } as { type: string }
    ),
    usage: { input: 50, output: 50 },
    model: undefined
  },
  {
    name: 'OpenAI transcription, counted in tokens',
    source: 'https://platform.openai.com/docs/api-reference/audio/json-object',
    contentType: JSON_TYPE,
    body: JSON.stringify({ text: TRAP, usage: { type: 'tokens', input_tokens: 14, input_token_details: { text_tokens: 10, audio_tokens: 4 }, output_tokens: 101, total_tokens: 115 } }),
    usage: { input: 14, output: 101 },
    model: undefined
  },
  {
    name: 'OpenAI transcription, counted in seconds',
    source: 'https://platform.openai.com/docs/api-reference/audio/json-object',
    contentType: JSON_TYPE,
    body: JSON.stringify({ text: TRAP, usage: { type: 'duration', seconds: 27 } }),
    usage: undefined,
    model: undefined
  },
  {
    name: 'a reranker that states the total only',
    source: 'https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html (Re-rank API)',
    contentType: JSON_TYPE,
    body: JSON.stringify({ id: 'rerank-1', model: 'BAAI/bge-reranker-base', usage: { total_tokens: 56 }, results: [{ index: 1, document: { text: TRAP, multi_modal: null }, relevance_score: 0.99853515625 }] }),
    usage: { input: 56 },
    model: 'BAAI/bge-reranker-base'
  },
  {
    name: 'a stream whose lines end in CR LF, with comments between',
    source: 'https://html.spec.whatwg.org/multipage/server-sent-events.html',
    contentType: STREAM_TYPE,
    body: `: ping "usage":{"prompt_tokens":999}\r\n\r\n${events(chunk('m', { content: TRAP }), { ...chunk('m', {}), usage: { prompt_tokens: 5, completion_tokens: 6 } }, '[DONE]').replaceAll('\n', '\r\n')}`,
    usage: { input: 5, output: 6 },
    model: 'm'
  },
  {
    name: 'a stream whose lines end in CR',
    source: 'https://html.spec.whatwg.org/multipage/server-sent-events.html',
    contentType: STREAM_TYPE,
    body: events(chunk('m', { content: TRAP }), { ...chunk('m', {}), usage: { prompt_tokens: 5, completion_tokens: 6 } }, '[DONE]').replaceAll('\n', '\r'),
    usage: { input: 5, output: 6 },
    model: 'm'
  }
]

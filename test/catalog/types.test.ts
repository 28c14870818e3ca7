// The tables that tell the kind of a model: by the words of its server, by its
// well-known name.
import t from 'tap'
import { ID_PATTERNS, KIND_WORDS, kindByName } from '../../src/catalog/types.ts'

t.test('each example is of the kind that its pattern says, and each pattern is needed', async t => {
  for (const { kind, pattern, examples } of ID_PATTERNS) {
    for (const id of examples) {
      t.equal(kindByName(id), kind, id)
      t.match(id.slice(id.lastIndexOf('/') + 1).toLowerCase(), pattern, `${id} is matched by its own pattern`)
    }
  }
})

t.test('names of chat models tell nothing', async t => {
  for (const id of [
    'gpt-4o', 'gpt-4o-audio-preview', 'o3-mini', 'claude-opus-4-7', 'gemini-2.5-flash', 'meta-llama/Llama-3.3-70B-Instruct', 'qwen2.5-vl-7b-instruct',
    'deepseek-r1:14b', 'mistral-small-latest', 'command-r-plus', 'llava:13b', 'phi-4', 'gpt2', 'embedded-systems-llama', 'influxdb-assistant', 'wanda-7b',
    '/srv/embed/Llama-3.1-8B', 'C:\\whisper\\chat.gguf', 'stablelm-2-chat', 'sda-7b', 'veothink', 'soraya-13b', 'barker-7b', 'pipernet', 'canaryone-8b', 'klingon-translator', 'instruct-7b', 'google/gemma-3-27b-it', 'attsz-1'
  ]) t.equal(kindByName(id), undefined, id)
})

t.test('the last part of a path counts', async t => {
  t.equal(kindByName('/root/models/bge-m3'), 'other')
  t.equal(kindByName('C:\\models\\ggml-whisper-base.bin'), 'speech')
  t.equal(kindByName('models/text-embedding-004'), 'other')
})

t.test('each word stands for one kind', async t => {
  const words = Object.values(KIND_WORDS).flat()
  t.equal(new Set(words).size, words.length)
  for (const word of words) t.match(word, /^[a-z0-9]+(-[a-z0-9]+)*$/)
})

import type { Capabilities } from './models.ts'
import { valueAt, wordsOf, type Statements } from './types.ts'

type Item = Readonly<Record<string, unknown>>
type Ability = 'tools' | 'reasoning' | 'structuredOutput'

/** Paths at which servers list input and output modalities. The first one that holds a list counts. */
const MODALITIES = {
  input: [
    ['architecture', 'input_modalities'], // OpenRouter, Hugging Face's router
    ['input_modalities'],
    ['modalities', 'input'], // models.dev
    ['supported_input_modalities'] // GitHub Models
  ],
  output: [
    ['architecture', 'output_modalities'],
    ['output_modalities'],
    ['modalities', 'output'],
    ['supported_output_modalities']
  ]
} as const

/** Paths at which servers state abilities: a list of words, or an object of booleans or `{supported}`. */
const ABILITY_PATHS: ReadonlyArray<readonly string[]> = [
  ['capabilities'], // Mistral, LM Studio, Ollama, llama.cpp, Infinity, Anthropic
  ['capabilities', 'supports'], // GitHub Copilot
  ['model_ability'], // Xinference
  ['model_info'] // LiteLLM
]

/** The words for each ability, in lower case, with `-` for `_`, without the prefix `supports-`. */
const ABILITIES: Readonly<Record<Ability, readonly string[]>> = {
  tools: [
    'tools', // OpenRouter, Ollama, Xinference, Fireworks
    'function-calling', // Mistral, LiteLLM
    'tool-use', 'trained-for-tool-use', // LM Studio v0, v1
    'tool-calls', 'tool-calling' // GitHub Copilot
  ],
  reasoning: [
    'reasoning', 'include-reasoning', // OpenRouter, Mistral, LiteLLM
    'thinking' // Ollama, Anthropic
  ],
  structuredOutput: [
    'structured-outputs', // OpenRouter, GitHub Copilot, Anthropic
    'structured-output',
    'response-schema' // LiteLLM
  ]
}

/** Words for input modalities besides text. */
const INPUTS: Readonly<Record<string, string>> = {
  vision: 'image', // Mistral, LM Studio, Ollama, Xinference, LiteLLM
  'image-input': 'image', // Anthropic, Fireworks
  audio: 'audio', // Mistral
  'audio-input': 'audio', // LiteLLM
  'pdf-input': 'file' // Anthropic, LiteLLM
}

const MODALITY = /^[a-z][a-z0-9_-]{0,29}$/
const MOST_MODALITIES = 20
const MOST_WORDS = 100

/** What a server states about one model: its capabilities, and the values that decide its kind. */
export function readStatements (item: Item): Statements & { capabilities: Capabilities | undefined } {
  const flags = flagsOf(item)
  const [legacyInput, legacyOutput] = legacyModalities(item)
  const stated = { input: modalitiesAt(item, MODALITIES.input) ?? legacyInput, output: modalitiesAt(item, MODALITIES.output) ?? legacyOutput }
  const input = stated.input ?? flaggedInput(item, flags)
  const capabilities: Capabilities = {
    ...(input !== undefined && { input }),
    ...(stated.output !== undefined && { output: stated.output })
  }
  for (const [ability, words] of Object.entries(ABILITIES) as Array<[Ability, readonly string[]]>) {
    const values = words.map(word => flags.get(word)).filter(value => value !== undefined)
    if (values.length > 0) capabilities[ability] = values.includes(true)
  }
  return {
    has: [...flags].filter(([, value]) => value).map(([word]) => word),
    input: stated.input ?? [],
    output: stated.output ?? [],
    capabilities: Object.keys(capabilities).length > 0 ? capabilities : undefined
  }
}

/** Every ability that the server states, true or false. */
function flagsOf (item: Item): Map<string, boolean> {
  const flags = new Map<string, boolean>()
  for (const path of ABILITY_PATHS) {
    const value = valueAt(item, path)
    if (Array.isArray(value)) for (const word of wordsOf(value.slice(0, MOST_WORDS))) flags.set(word, true)
    else if (typeof value === 'object' && value !== null) addFlags(flags, value as Item)
  }
  for (const name of ['supports_tools', 'supports_image_input', 'supports_vision', 'supports_function_calling', 'supports_reasoning', 'supports_response_schema']) {
    if (typeof item[name] === 'boolean') addFlags(flags, { [name]: item[name] })
  }
  // OpenRouter's list of parameters may be incomplete, so an absent one is unknown, not false.
  for (const word of wordsOf(Array.isArray(item['supported_parameters']) ? item['supported_parameters'].slice(0, MOST_WORDS) : [])) {
    if (ABILITY_WORDS.has(word)) flags.set(word, true)
  }
  return flags
}

const ABILITY_WORDS = new Set(Object.values(ABILITIES).flat())

function addFlags (flags: Map<string, boolean>, object: Item): void {
  for (const [name, value] of Object.entries(object).slice(0, MOST_WORDS)) {
    const flag = typeof value === 'object' && value !== null ? (value as Item)['supported'] : value
    const [word] = wordsOf(name)
    if (typeof flag === 'boolean' && word !== undefined) flags.set(word.replace(/^supports-/, ''), flag)
  }
}

/** Text, and the modalities that the flags add. Undefined if no flag is about the input. */
function flaggedInput (item: Item, flags: ReadonlyMap<string, boolean>): string[] | undefined {
  const known = Object.entries(INPUTS).filter(([word]) => flags.has(word))
  // LM Studio's REST API v0 distinguishes models with image input (`vlm`) from others (`llm`).
  if (item['type'] === 'vlm') return ['text', 'image']
  return known.length === 0 ? undefined : ['text', ...new Set(known.filter(([word]) => flags.get(word)).map(([, modality]) => modality))]
}

function modalitiesAt (item: Item, paths: ReadonlyArray<readonly string[]>): string[] | undefined {
  for (const path of paths) {
    const value = valueAt(item, path)
    if (!Array.isArray(value)) continue
    const modalities = sound(value)
    if (modalities !== undefined) return modalities
  }
  return undefined
}

function sound (words: unknown[]): string[] | undefined {
  const modalities = [...new Set(wordsOf(words.slice(0, MOST_WORDS)))].filter(word => MODALITY.test(word)).slice(0, MOST_MODALITIES)
  return modalities.length > 0 ? modalities : undefined
}

/** OpenRouter's older form: `text+image->text`. */
function legacyModalities (item: Item): [input: string[] | undefined, output: string[] | undefined] {
  const value = valueAt(item, ['architecture', 'modality'])
  const [input, output] = typeof value === 'string' && value.length <= 200 ? value.split('->') : []
  return output === undefined ? [undefined, undefined] : [sound((input ?? '').split('+')), sound(output.split('+'))]
}

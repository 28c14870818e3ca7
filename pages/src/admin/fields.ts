import { MODEL_TYPES, type Capabilities, type ModelRecord } from './records.ts'

/** What a control of the form holds. */
export type Input = string | boolean | string[]

/** A field of a model: its place in the record, and how the form shows it. */
export interface Field {
  /** An RFC 6901 pointer into the record: what the API's errors name. */
  pointer: string
  label: string
  control: 'line' | 'text' | 'number' | 'choice' | 'switch' | 'kinds'
  hint?: string
  /** What can be chosen: value → words. */
  options?: Readonly<Record<string, string>>
}

const ABILITY = { '': 'Not known', true: 'Yes', false: 'No' }
const KINDS = ['text', 'image', 'audio', 'video', 'file']
const kinds = Object.fromEntries(KINDS.map(kind => [kind, kind]))

/** The fields that can be edited, in the order of the form. */
export const FIELDS = [
  { pointer: '/name', label: 'Name', control: 'line' },
  { pointer: '/description', label: 'Description', control: 'text', hint: 'One sentence on what the model is good for.' },
  { pointer: '/type', label: 'Type', control: 'choice', options: Object.fromEntries(MODEL_TYPES.map(type => [type, type])) },
  { pointer: '/provider', label: 'Provider', control: 'line', hint: 'Who made it.' },
  { pointer: '/contextLength', label: 'Context length', control: 'number', hint: 'Largest number of tokens in one request, digits only.' },
  { pointer: '/isActive', label: 'Active', control: 'switch', hint: 'Users see active models only.' },
  { pointer: '/capabilities/input', label: 'Input', control: 'kinds', options: kinds },
  { pointer: '/capabilities/output', label: 'Output', control: 'kinds', options: kinds },
  { pointer: '/capabilities/tools', label: 'Tools', control: 'choice', options: ABILITY },
  { pointer: '/capabilities/reasoning', label: 'Reasoning', control: 'choice', options: ABILITY },
  { pointer: '/capabilities/structuredOutput', label: 'Structured output (JSON)', control: 'choice', options: ABILITY }
] as const satisfies readonly Field[]

/** A field that can be edited. */
export type Pointer = typeof FIELDS[number]['pointer']

/** What stands in the form: one input for each field. */
export type Draft = Record<Pointer, Input>

type Values = Partial<Record<Pointer, unknown>>

function valuesOf (record: Partial<ModelRecord>): Values {
  const { capabilities = {}, ...fields } = record
  const at = (prefix: string, object: object) => Object.entries(object).map(([name, value]) => [`${prefix}/${name}`, value])
  return Object.fromEntries([...at('', fields), ...at('/capabilities', capabilities)])
}

/** A record as the form shows it. */
export function draftOf (record: Partial<ModelRecord>): Draft {
  const values = valuesOf(record)
  return Object.fromEntries(FIELDS.map(({ pointer, control }) => [pointer, inputOf(control, values[pointer])])) as Draft
}

function inputOf (control: Field['control'], value: unknown): Input {
  if (control === 'kinds') return (value as string[] | undefined) ?? []
  if (control === 'switch') return value as boolean ?? true
  return value === undefined ? '' : String(value)
}

/** What an input means in JSON; null where it is empty. Checking it is the API's affair. */
function valueOf ({ control, pointer }: Field, input: Input): unknown {
  if (Array.isArray(input)) return input.length === 0 ? null : input
  if (typeof input === 'boolean') return input
  if (control === 'number') return input.trim() === '' ? null : Number.isNaN(Number(input)) ? input : Number(input)
  if (pointer.startsWith('/capabilities/')) return input === '' ? null : input === 'true'
  return input === '' && pointer === '/provider' ? null : input
}

/** Whether two inputs say the same; the order of kinds does not matter. */
export function sameInput (a: Input, b: Input): boolean {
  return Array.isArray(a) && Array.isArray(b) ? a.toSorted().join() === b.toSorted().join() : a === b
}

/** The fields in which two drafts differ. */
export function changedFields (before: Draft, after: Draft): Array<typeof FIELDS[number]> {
  return FIELDS.filter(({ pointer }) => !sameInput(before[pointer], after[pointer]))
}

/**
 * What leads from one draft to the other: a JSON Merge Patch.
 * @param joined whether a text that was emptied gives way to what the inference service says; else it is empty
 */
export function patchBetween (before: Draft, after: Draft, joined: boolean): object {
  return objectOf(changedFields(before, after).map(field => {
    const value = valueOf(field, after[field.pointer])
    return [field.pointer, joined && value === '' ? null : value]
  }))
}

/** A new model of that id. */
export function newModelOf (id: string, draft: Draft): object {
  return objectOf([['/id', id], ...FIELDS.map(field => [field.pointer, valueOf(field, draft[field.pointer])] as const).filter(([, value]) => value !== null)])
}

function objectOf (values: ReadonlyArray<readonly [string, unknown]>): object {
  const model: Record<string, unknown> & { capabilities?: Record<string, unknown> } = {}
  for (const [pointer, value] of values) {
    const [, name = '', inner] = pointer.split('/')
    if (inner === undefined) model[name] = value
    else (model.capabilities ??= {})[inner] = value
  }
  return model
}

/** What was typed on top of one record, on top of another: fields that were left alone follow it. */
export function rebased (draft: Draft, before: Draft, after: Draft): Draft {
  return { ...after, ...Object.fromEntries(changedFields(before, draft).map(({ pointer }) => [pointer, draft[pointer]])) }
}

const NUMBER = new Intl.NumberFormat('en')

/** A value in words. */
export function shown (value: unknown): string {
  if (value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)) return '(empty)'
  if (Array.isArray(value)) return value.join(', ')
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return typeof value === 'number' ? NUMBER.format(value) : String(value)
}

/** An input in words. */
export function shownInput (field: Field, input: Input): string {
  if (field.options !== undefined && typeof input === 'string') return field.options[input] ?? input
  return shown(field.control === 'number' && input !== '' ? Number(input) : input)
}

/** A change of one field. */
export interface FieldChange {
  label: string
  before: string
  after: string
}

/** What differs between two records, field by field, in words. */
export function fieldChanges (before: Partial<ModelRecord>, after: Partial<ModelRecord>): FieldChange[] {
  const [old, young] = [valuesOf(before), valuesOf(after)]
  return FIELDS.filter(({ pointer }) => JSON.stringify(old[pointer]) !== JSON.stringify(young[pointer]))
    .map(({ pointer, label }) => ({ label, before: shown(old[pointer]), after: shown(young[pointer]) }))
}

const SOURCES: Record<string, string> = {
  curated: 'set by an admin',
  service: 'from the service',
  static: 'from the static list',
  default: 'a rule of the gateway'
}

/** Where a field's value comes from, in words; undefined where all values come from one place. */
export function sourceWords (record: Partial<ModelRecord> | null, pointer: string): string | undefined {
  const source = record?.sources?.[pointer.split('/')[1] as string]
  return source === undefined ? undefined : SOURCES[source] ?? source
}

/** What a model can do, in a few words for a row of the table. */
export function abilities ({ input = [], tools, reasoning, structuredOutput }: Capabilities = {}): string[] {
  return [
    ...input.filter(kind => kind !== 'text'),
    ...(tools === true ? ['tools'] : []),
    ...(reasoning === true ? ['reasoning'] : []),
    ...(structuredOutput === true ? ['JSON'] : [])
  ]
}

import type { TSchema } from '@sinclair/typebox'
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'
import { ValueErrorType, type ValueError } from '@sinclair/typebox/value'
import { NOT_ADDRESSABLE, TIME_PATTERN, type CuratedModel } from './models.ts'

/** A position in a document (an RFC 6901 pointer) and the problem there. */
export interface Problem {
  pointer: string
  reason: string
}

const MOST_PROBLEMS = 20
const FOREIGN_CHARACTERS = 'has characters that cannot stand there'
const NO_TIME = 'must be a time in UTC with milliseconds, such as 2025-05-01T00:00:00.000Z'

/** The first problem, and whether there are more. It stops there: a body of 1 MB can have a million problems. */
export function firstProblems (problems: Iterable<Problem>): Problem[] {
  const first: Problem[] = []
  for (const problem of problems) {
    if (first.length === MOST_PROBLEMS) return [...first, { pointer: '', reason: 'has more problems' }]
    first.push(problem)
  }
  return first
}

/** The problems of a value, in words for its author: one for each position. */
export function schemaProblems (schema: TSchema, value: unknown): Problem[] {
  return firstProblems(findings(schema, value))
}

const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>()

function * findings (schema: TSchema, value: unknown): Generator<Problem> {
  const check = compiled.get(schema) ?? TypeCompiler.Compile(schema)
  compiled.set(schema, check)
  // The compiled check is about twenty times faster than collecting errors, so it comes first.
  if (check.Check(value)) return
  const reported = new Set<string>()
  for (const error of check.Errors(value)) {
    // A missing property is also reported with a wrong type; one report is enough.
    if (reported.has(error.path)) continue
    reported.add(error.path)
    yield { pointer: error.path, reason: reasonOf(error) }
  }
}

const RULES: { [field: string]: { holds: (text: string) => boolean, reason: string } } = {
  id: { holds: id => !NOT_ADDRESSABLE.has(id), reason: 'cannot be `.` or `..`, which clients remove from a path' },
  createdAt: { holds: isDate, reason: 'is no date of the calendar' }
}

/** Problems that the schema cannot express: each invalid field. */
export function * modelProblems (model: Partial<CuratedModel>, pointer = ''): Generator<Problem> {
  for (const [field, value] of Object.entries(model)) {
    if (typeof value !== 'string') continue
    const rule = RULES[field]
    // Half a surrogate pair has no UTF-8 form, so another text would be stored.
    if (!value.isWellFormed()) yield { pointer: `${pointer}/${field}`, reason: FOREIGN_CHARACTERS }
    else if (rule?.holds(value) === false) yield { pointer: `${pointer}/${field}`, reason: rule.reason }
  }
}

/** Whether a text in the form of a date is a real date: JavaScript reads 31 June as 1 July, and PostgreSQL has no year 0. */
function isDate (text: string): boolean {
  const ms = Date.parse(text)
  return !Number.isNaN(ms) && new Date(ms).toISOString() === text && text >= '0001'
}

const REASONS: { [type in ValueErrorType]?: (schema: TSchema) => string } = {
  [ValueErrorType.ObjectRequiredProperty]: () => 'is missing',
  [ValueErrorType.ObjectAdditionalProperties]: () => 'is not a known field',
  [ValueErrorType.StringPattern]: ({ pattern }) => pattern === TIME_PATTERN ? NO_TIME : FOREIGN_CHARACTERS,
  [ValueErrorType.StringMinLength]: () => 'must not be empty',
  [ValueErrorType.StringMaxLength]: ({ maxLength }) => `must have at most ${maxLength} characters`,
  [ValueErrorType.IntegerMinimum]: ({ minimum }) => `must be ${minimum} or more`,
  [ValueErrorType.IntegerMaximum]: ({ maximum }) => `must be ${maximum} or less`,
  [ValueErrorType.Union]: ({ anyOf }) => `must be one of: ${anyOf.map((option: TSchema) => option.const).join(', ')}`
}

function reasonOf ({ type, schema, message }: ValueError): string {
  return REASONS[type]?.(schema) ?? message.replace(/^Expected (?=[aeiou])/, 'must be an ').replace(/^Expected /, 'must be a ')
}

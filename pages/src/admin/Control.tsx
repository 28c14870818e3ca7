import { useId, type ReactNode } from 'react'
import type { Field, Input } from './fields.ts'

interface ControlProps {
  field: Field
  value: Input
  problem: string | undefined
  /** Where the value comes from. */
  source?: string | undefined
  disabled: boolean
  onChange: (value: Input) => void
}

/** One field of the form: label, control, hint, and what the API says is wrong. */
export function Control ({ field, value, problem, source, disabled, onChange }: ControlProps) {
  const id = useId()
  const { label, control, hint } = field
  const described = [...(hint || source ? [`${id}-hint`] : []), ...(problem ? [`${id}-problem`] : [])].join(' ') || undefined
  const common = { id, 'aria-invalid': problem !== undefined, 'aria-describedby': described }
  const below = (
    <>
      {(hint ?? source) !== undefined && <span id={`${id}-hint`} className='hint'>{hint} {source !== undefined && <span className='badge'>{source}</span>}</span>}
      {problem !== undefined && <span id={`${id}-problem`} className='error' role='alert'>{problem}</span>}
    </>
  )
  if (control === 'kinds') return <Kinds field={field} value={value as string[]} disabled={disabled} onChange={onChange}>{below}</Kinds>
  if (control === 'switch') {
    return (
      <div className='field switch'>
        <label htmlFor={id}>{label}</label>
        <input {...common} type='checkbox' role='switch' checked={value as boolean} disabled={disabled} onChange={event => onChange(event.target.checked)} />
        {below}
      </div>
    )
  }
  const text = { ...common, value: value as string }
  return (
    <div className='field'>
      <label htmlFor={id}>{label}</label>
      {control === 'choice' && (
        <select {...text} disabled={disabled} onChange={event => onChange(event.target.value)}>
          {Object.entries(field.options ?? {}).map(([option, words]) => <option key={option} value={option}>{words}</option>)}
        </select>
      )}
      {control === 'text' && <textarea {...text} rows={2} readOnly={disabled} onChange={event => onChange(event.target.value)} />}
      {(control === 'line' || control === 'number') && (
        <input {...text} type='text' inputMode={control === 'number' ? 'numeric' : undefined} readOnly={disabled} autoComplete='off' spellCheck={false} onChange={event => onChange(event.target.value)} />
      )}
      {below}
    </div>
  )
}

interface KindsProps {
  field: Field
  value: string[]
  disabled: boolean
  onChange: (value: string[]) => void
  children: ReactNode
}

/** Several of a few words, each a checkbox. A word that is not among the usual ones is kept. */
function Kinds ({ field, value, disabled, onChange, children }: KindsProps) {
  const words = [...new Set([...Object.keys(field.options ?? {}), ...value])]
  return (
    <fieldset className='field'>
      <legend>{field.label}</legend>
      <div className='kinds'>
        {words.map(word => (
          <label key={word}>
            <input type='checkbox' checked={value.includes(word)} disabled={disabled} onChange={event => onChange(words.filter(other => other === word ? event.target.checked : value.includes(other)))} />
            {word}
          </label>
        ))}
      </div>
      {children}
    </fieldset>
  )
}

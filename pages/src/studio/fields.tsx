import { useId, useRef, useState, type ChangeEvent } from 'react'

interface SliderProps {
  label: string
  min: number
  max: number
  step: number
  /** Where the thumb stands while the value is left to the model. */
  start: number
  value: number | null
  onChange: (value: number | null) => void
}

/** A number that is left to the model until it is moved. */
export function Slider ({ label, min, max, step, start, value, onChange }: SliderProps) {
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const reset = () => {
    onChange(null)
    // The button goes.
    input.current?.focus()
  }
  return (
    <div className='field'>
      <div className='row spread'>
        <label htmlFor={id}>{label}</label>
        {value === null
          ? <span className='muted hint'>model’s default</span>
          : <span className='row'><output htmlFor={id}>{value}</output><button type='button' className='quiet' onClick={reset} aria-label={`Reset ${label} to the model’s default`}>Reset</button></span>}
      </div>
      <input ref={input} id={id} type='range' min={min} max={max} step={step} value={value ?? start} onChange={event => onChange(event.target.valueAsNumber)} aria-valuetext={value === null ? 'model’s default' : String(value)} />
    </div>
  )
}

interface NumberFieldProps {
  label: string
  min: number
  max?: number
  value: number | null
  onChange: (value: number | null) => void
}

/** A whole number; an empty field is left to the model. What is no such number stays as it was typed, and is left to the model too. */
export function NumberField ({ label, min, max, value, onChange }: NumberFieldProps) {
  const id = useId()
  const [text, setText] = useState(String(value ?? ''))
  const [wrong, setWrong] = useState(false)
  const change = ({ target: { value: text, valueAsNumber: number, validity } }: ChangeEvent<HTMLInputElement>) => {
    setText(text)
    // A browser shows letters in the field, but does not hand them over.
    setWrong(validity.badInput || (text !== '' && !validity.valid))
    onChange(validity.valid && text !== '' ? number : null)
  }
  return (
    <div className='field'>
      <label htmlFor={id}>{label}</label>
      <input
        id={id} type='number' inputMode='numeric' min={min} max={max} step={1} placeholder='Model’s default' value={text}
        onChange={change} aria-invalid={wrong} aria-describedby={`${id}-hint`}
      />
      {wrong && <span id={`${id}-hint`} className='hint' role='alert'>A whole number from {min}{max !== undefined && ` to ${max}`}. Until then the model’s default is used.</span>}
    </div>
  )
}

interface SegmentsProps<T extends string> {
  label: string
  options: Record<T, string>
  value: T
  onChange: (value: T) => void
}

/** One of a few, side by side. */
export function Segments<T extends string> ({ label, options, value, onChange }: SegmentsProps<T>) {
  const name = useId()
  return (
    <fieldset className='segments'>
      <legend className='visually-hidden'>{label}</legend>
      {(Object.entries(options) as Array<[T, string]>).map(([option, text]) => (
        <label key={option}>
          <input type='radio' className='visually-hidden' name={name} checked={option === value} onChange={() => onChange(option)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  )
}

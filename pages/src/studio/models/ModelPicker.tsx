import { useId, useMemo, useState } from 'react'

/** What the picker shows of a model. */
export interface Choice {
  id: string
  name: string
  description: string
  /** A short fact beside the name: a context length, a provider. */
  fact?: string | undefined
}

interface ModelPickerProps {
  choices: readonly Choice[]
  /** The chosen model's id; null is the default model. */
  value: string | null
  onChange: (id: string | null) => void
  /** The model that answers where none is named, if it is known. */
  defaultModel: string | undefined
}

/** More rows than a person reads; the filter finds the rest. */
const SHOWN = 100

/** A model by name, description and fact, filtered by typing. The first choice is the default model. */
export function ModelPicker ({ choices, value, onChange, defaultModel }: ModelPickerProps) {
  const [filter, setFilter] = useState('')
  const group = useId()
  const hint = useId()
  const found = useMemo(() => {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
    return choices.filter(({ id, name, description, fact }) => {
      const text = `${id} ${name} ${description} ${fact ?? ''}`.toLowerCase()
      return words.every(word => text.includes(word))
    })
  }, [choices, filter])
  const rest = found.length - SHOWN
  const shown = useMemo(() => firstOf(found, value), [found, value])
  const known = value === null || choices.some(({ id }) => id === value)

  return (
    <fieldset className='picker'>
      <legend>Model</legend>
      <input
        type='search' value={filter} onChange={event => setFilter(event.target.value)}
        aria-label='Filter models' aria-describedby={hint} placeholder='Filter by name, id, description' autoComplete='off' spellCheck={false}
      />
      <div className='choices'>
        {filter === '' && (
          <Row group={group} checked={value === null} onChoose={() => onChange(null)} name='Default model' description={defaultModel === undefined ? 'The gateway or the inference service chooses.' : `The gateway chooses: ${defaultModel}`} />
        )}
        {!known && <Row group={group} checked onChoose={() => {}} name={value} description='No longer offered. Requests still name it; choose another.' />}
        {shown.map(({ id, name, description, fact }) => (
          <Row key={id} group={group} checked={id === value} onChoose={() => onChange(id)} name={name} description={description} fact={fact} title={id} />
        ))}
        {filter !== '' && found.length === 0 && <p className='muted none'>No model matches.</p>}
      </div>
      <p id={hint} className='hint muted' role='status'>
        {filter === '' ? counted(choices.length) : `${found.length} of ${counted(choices.length)}`}{rest > 0 && `; the first ${SHOWN} are shown, type to find the others`}
      </p>
    </fieldset>
  )
}

/** As many as are shown; the chosen one, where it comes later, stands first. */
function firstOf (found: readonly Choice[], value: string | null): readonly Choice[] {
  const place = found.findIndex(({ id }) => id === value)
  return place < SHOWN ? found.slice(0, SHOWN) : [found[place]!, ...found.slice(0, SHOWN - 1)]
}

const counted = (count: number) => count === 0 ? 'No models in the catalog' : count === 1 ? '1 model' : `${count} models`

interface RowProps {
  group: string
  checked: boolean
  onChoose: () => void
  name: string
  description: string
  fact?: string | undefined
  title?: string
}

function Row ({ group, checked, onChoose, name, description, fact, title }: RowProps) {
  return (
    <label className='choice' title={title}>
      <input type='radio' name={group} checked={checked} onChange={onChoose} />
      <span className='text'>
        <span className='row spread'><span className='name'>{name}</span>{fact !== undefined && <span className='badge'>{fact}</span>}</span>
        {description !== '' && <span className='muted description'>{description}</span>}
      </span>
    </label>
  )
}

import { useId } from 'react'
import { listAudit } from './api.ts'
import { changedFields, sameInput, shownInput, type Draft, type Pointer } from './fields.ts'
import { ago } from './words.ts'

/** How many entries of the audit are searched for the other change. */
const LOOK_BACK = 50

/** Two edits of one model: what it was, what another admin made of it, and what was typed here. */
export interface Collision {
  before: Draft
  mine: Draft
  theirs: Draft
  /** Who made the other change, and when, where the audit tells. */
  who: { name: string, at: string } | null
}

/** The collision with what another admin has saved meanwhile. */
export async function conflictWith (id: string, before: Draft, mine: Draft, theirs: Draft): Promise<Collision> {
  const entry = await listAudit(null, LOOK_BACK).then(({ data }) => data.find(({ modelId }) => modelId === id), () => undefined)
  return { before, mine, theirs, who: entry === undefined ? null : { name: entry.who, at: entry.at } }
}

interface ConflictProps {
  collision: Collision
  draft: Draft
  onChoose: (changes: Partial<Draft>) => void
}

/** Shows both versions beside each other, field by field, and lets the person choose. */
export function Conflict ({ collision: { before, mine, theirs, who }, draft, onChoose }: ConflictProps) {
  const id = useId()
  const fields = changedFields(mine, theirs)
  const own = new Set<Pointer>(changedFields(before, mine).map(({ pointer }) => pointer))
  const take = (side: Draft, from: typeof fields) => onChoose(Object.fromEntries(from.map(({ pointer }) => [pointer, side[pointer]])))
  const choice = (pointer: Pointer, side: Draft, text: string, label: string) => (
    <label>
      <input type='radio' name={`${id}${pointer}`} checked={sameInput(draft[pointer], side[pointer])} onChange={() => onChoose({ [pointer]: side[pointer] })} aria-label={label} />
      {text}
    </label>
  )
  return (
    <section className='conflict' aria-labelledby={`${id}-title`} role='alert'>
      <h3 id={`${id}-title`}>Another admin changed this model while you were editing</h3>
      <p>{who !== null && `${who.name} saved it ${ago(who.at)}. `}Nothing you typed is lost: choose what to keep, then save.</p>
      {fields.length === 0
        ? <p>Both of you made the same changes.</p>
        : (
          <table>
            <thead><tr><th scope='col'>Field</th><th scope='col'>It was</th><th scope='col'>Theirs</th><th scope='col'>Yours</th></tr></thead>
            <tbody>
              {fields.map(field => (
                <tr key={field.pointer}>
                  <th scope='row'>{field.label}</th>
                  <td>{shownInput(field, before[field.pointer])}</td>
                  {own.has(field.pointer)
                    ? (
                      <>
                        <td>{choice(field.pointer, theirs, shownInput(field, theirs[field.pointer]), `${field.label}: theirs`)}</td>
                        <td>{choice(field.pointer, mine, shownInput(field, mine[field.pointer]), `${field.label}: yours`)}</td>
                      </>
                      )
                    : <><td>{shownInput(field, theirs[field.pointer])}</td><td className='muted'>Changed by them, kept</td></>}
                </tr>
              ))}
            </tbody>
          </table>
          )}
      <div className='row'>
        <button type='button' onClick={() => take(mine, fields.filter(({ pointer }) => own.has(pointer)))}>Keep all of yours</button>
        <button type='button' onClick={() => take(theirs, fields)}>Take all of theirs</button>
      </div>
    </section>
  )
}

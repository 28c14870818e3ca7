import { useId, useRef, useState, type SubmitEvent } from 'react'
import { isSendable } from '../shared/api-key.ts'
import { BusyButton } from '../shared/ui.tsx'
import { ApiError, tryKey } from './api.ts'
import { holdKey, useHeldKey } from './key.ts'
import { wordsOf } from './words.ts'

/** Asks for the admin key, and checks it before it is kept. */
export function Login () {
  const { refused } = useHeldKey()
  const [problem, setProblem] = useState(refused ? 'The gateway no longer takes the key that was used here.' : '')
  const [busy, setBusy] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  const id = useId()

  async function enter (event: SubmitEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault()
    const key = field.current?.value.trim() ?? ''
    if (!isSendable(key)) return setProblem(WRONG)
    setBusy(true)
    try {
      await tryKey(key)
      holdKey(key)
    } catch (error) {
      setProblem(refusal(error))
      field.current?.select()
    } finally {
      setBusy(false)
    }
  }

  return (
    <form className='login' onSubmit={async event => await enter(event)} noValidate>
      <label htmlFor={id}>Admin key</label>
      <input
        id={id} ref={field} type='password' autoComplete='current-password' autoFocus spellCheck={false}
        aria-invalid={problem !== ''} aria-describedby={`${id}-hint ${id}-problem`}
      />
      <p id={`${id}-hint`} className='hint'>One of the keys in ADMIN_API_KEY. This tab keeps it until it is closed; it is stored nowhere else.</p>
      <p id={`${id}-problem`} className='problem' role='alert'>{problem}</p>
      <BusyButton type='submit' className='primary' busy={busy}>{busy ? 'Checking…' : 'Sign in'}</BusyButton>
    </form>
  )
}

const WRONG = 'This is not an admin key of this gateway.'

function refusal (error: unknown): string {
  if (!(error instanceof ApiError)) return wordsOf(error)
  if (error.status === 401) return WRONG
  if (error.status === 404) return 'This gateway has no admin API: set ADMIN_API_KEY and start it again.'
  return wordsOf(error)
}

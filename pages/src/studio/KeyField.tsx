import { useQueryClient } from '@tanstack/react-query'
import { GatewayError, listModels } from 'model-gateway-client'
import { useRef, useState, type SubmitEvent } from 'react'
import { isSendable } from '../shared/api-key.ts'
import { GATEWAY_URL } from '../shared/gateway.ts'
import { Icon } from '../shared/icons.tsx'
import { BusyButton } from '../shared/ui.tsx'
import { keepKey, useSessionKey } from './session-key.ts'

/**
 * Asks for an API key once the gateway has refused a request for want of one.
 * @param props.onChanged called once a key is kept or forgotten: what had the focus is then gone
 */
export function KeyField ({ onChanged }: { onChanged: () => void }) {
  const client = useQueryClient()
  const { key, refused } = useSessionKey()
  const change = (key: string | undefined) => {
    keepKey(key)
    onChanged()
    // The key may be the one before, which was refused for a while.
    client.invalidateQueries()
  }
  if (refused) return <KeyForm label={key === undefined ? 'This gateway asks for an API key' : 'That API key was refused'} onKey={change} />
  if (key === undefined) return null
  return (
    <div className='key-field'>
      <Icon name='key' /><span>Your API key is kept until this tab is closed.</span>
      <button type='button' className='quiet' onClick={() => change(undefined)}>Forget it</button>
    </div>
  )
}

/** @param props.onKey called with a key that the gateway takes */
function KeyForm ({ label, onKey }: { label: string, onKey: (key: string) => void }) {
  const field = useRef<HTMLInputElement>(null)
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)

  async function use (event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const key = field.current?.value.trim() ?? ''
    if (key === '') return
    setBusy(true)
    // Empty in between: a screen reader reads the same words anew.
    setProblem('')
    const found = isSendable(key) ? await problemOf(key) : 'A key has only letters, digits and signs of plain ASCII.'
    setBusy(false)
    if (found === undefined) return onKey(key)
    setProblem(found)
    field.current?.select()
  }

  return (
    <form className='key-field' onSubmit={async event => await use(event)}>
      <Icon name='key' />
      <label htmlFor='api-key'>{label}</label>
      <input ref={field} id='api-key' type='password' autoComplete='off' onChange={() => setProblem('')} placeholder='API key' aria-invalid={problem !== ''} aria-describedby='api-key-problem' />
      <BusyButton type='submit' className='primary' busy={busy}>{busy ? 'Checking…' : 'Use key'}</BusyButton>
      <span className='hint muted'>It is kept in this tab only.</span>
      <span id='api-key-problem' className='hint' role='alert'>{problem}</span>
    </form>
  )
}

/** What is wrong with a key; undefined where the gateway takes it. */
async function problemOf (apiKey: string): Promise<string | undefined> {
  try {
    await listModels(undefined, { baseUrl: GATEWAY_URL, apiKey })
  } catch (error) {
    const { status, message } = error as GatewayError
    // Whatever else fails, the key is not to blame.
    if (status === 401) return 'The gateway does not take this key.'
    if (status === 429 || status === 0) return message
  }
}

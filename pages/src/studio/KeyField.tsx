import { useState } from 'react'
import { isSendable } from '../shared/api-key.ts'
import { Icon } from '../shared/icons.tsx'
import { keepKey, useSessionKey } from './session-key.ts'

/**
 * Asks for an API key once the gateway has refused a request for want of one.
 * @param props.onChanged called once a key is kept or forgotten: what had the focus is then gone
 */
export function KeyField ({ onChanged }: { onChanged: () => void }) {
  const { key, refused } = useSessionKey()
  const [draft, setDraft] = useState('')
  const [wrong, setWrong] = useState(false)
  const change = (key: string | undefined) => {
    keepKey(key)
    onChanged()
  }
  if (!refused && key === undefined) return null
  if (!refused) {
    return (
      <div className='key-field'>
        <Icon name='key' /><span>Your API key is kept until this tab is closed.</span>
        <button type='button' className='quiet' onClick={() => change(undefined)}>Forget it</button>
      </div>
    )
  }
  const save = () => {
    const key = draft.trim()
    if (key === '') return
    if (!isSendable(key)) return setWrong(true)
    change(key)
    setDraft('')
  }
  return (
    <form className='key-field' onSubmit={event => { event.preventDefault(); save() }}>
      <Icon name='key' />
      <label htmlFor='api-key'>{key === undefined ? 'This gateway asks for an API key' : 'That API key was refused'}</label>
      <input id='api-key' type='password' autoComplete='off' value={draft} onChange={event => { setDraft(event.target.value); setWrong(false) }} placeholder='API key' aria-invalid={wrong} aria-describedby='api-key-problem' />
      <button type='submit' className='primary'>Use key</button>
      <span className='hint muted'>It is kept in this tab only.</span>
      {wrong && <span id='api-key-problem' className='hint' role='alert'>A key has only letters, digits and signs of plain ASCII.</span>}
    </form>
  )
}

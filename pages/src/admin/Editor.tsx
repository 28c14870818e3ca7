import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useId, useRef, useState, type SubmitEvent } from 'react'
import { flushSync } from 'react-dom'
import { Dialog } from '../shared/dialog.tsx'
import { useFocusHeir } from '../shared/focus-heir.ts'
import { BusyButton, Notice } from '../shared/ui.tsx'
import { afterEdit, afterPatch } from './actions.ts'
import { ApiError, createModel, getModel, patchModel } from './api.ts'
import { Conflict, conflictWith, type Collision } from './Conflict.tsx'
import { Control } from './Control.tsx'
import { changedFields, draftOf, FIELDS, newModelOf, patchBetween, rebased, sourceWords, type Draft, type Field } from './fields.ts'
import { tell } from './notices.tsx'
import type { ModelRecord } from './records.ts'
import { problemsOf, wordsOf } from './words.ts'

const ID: Field = { pointer: '/id', label: 'Id', control: 'line', hint: 'What requests name in “model”. It cannot be changed later.' }
const POINTERS = ['/id', ...FIELDS.map(({ pointer }) => pointer)]
const NEW: Partial<ModelRecord> = { type: 'chat', isActive: true, name: '', description: '' }

interface EditorProps {
  /** The model to edit; null for a new one. */
  record: ModelRecord | null
  editable: boolean
  onClose: () => void
}

/** What the form was filled with, and the tag of that record. */
interface Base { draft: Draft, etag: string | null }

/** The form for one model, in a dialog. The API checks; its messages stand beside the fields. */
export function Editor ({ record, editable, onClose }: EditorProps) {
  const client = useQueryClient()
  const form = useRef<HTMLFormElement>(null)
  const formId = useId()
  const [base, setBase] = useState<Base>(() => ({ draft: draftOf(record ?? NEW), etag: null }))
  const [draft, setDraft] = useState(base.draft)
  const [id, setId] = useState(record?.id ?? '')
  const [problems, setProblems] = useState<Record<string, string>>({})
  const [failure, setFailure] = useState('')
  const [busy, setBusy] = useState(false)
  const [leaving, setLeaving] = useState(false)
  const [collision, setCollision] = useState<Collision | null>(null)
  const [gone, setGone] = useState(false)
  const [shown, setShown] = useState(record)
  const [loaded] = useState(() => record === null ? null : getModel(record.id))

  // The list may be old: the form follows the record itself, but for what has been typed.
  useEffect(() => {
    let closed = false
    loaded?.then(({ value, etag }) => {
      if (closed) return
      const fresh = draftOf(value)
      setShown(value)
      setBase(base => {
        setDraft(draft => rebased(draft, base.draft, fresh))
        return { draft: fresh, etag }
      })
    }, error => { if (!closed) setFailure(wordsOf(error)) })
    return () => { closed = true }
  }, [loaded])

  const joined = record?.sources !== undefined
  const dirty = changedFields(base.draft, draft).length > 0 || id !== (record?.id ?? '')
  useEffect(() => {
    if (!dirty) return
    const warn = (event: BeforeUnloadEvent) => event.preventDefault()
    addEventListener('beforeunload', warn)
    return () => removeEventListener('beforeunload', warn)
  }, [dirty])

  // A browser gives the focus to the first control, which closes the dialog.
  useEffect(() => { if (record === null) form.current?.querySelector('input')?.focus() }, [record])

  useEffect(() => { form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus() }, [problems])

  async function save (event: SubmitEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault()
    setBusy(true)
    setProblems({})
    setFailure('')
    try {
      const isNew = record === null || gone
      const saved = await send()
      // At once: the message gives the focus back to what has it now, and that must not be this dialog.
      flushSync(onClose)
      tell(`${saved.name} was ${isNew ? 'added' : 'saved'}.`)
      await (isNew ? afterEdit(client) : afterPatch(client, [saved]))
    } catch (error) {
      await refused(error)
    } finally {
      setBusy(false)
    }
  }

  async function send (): Promise<ModelRecord> {
    if (record === null || gone) return await createModel(newModelOf(id, draft))
    return await patchModel(record.id, patchBetween(base.draft, draft, joined), base.etag ?? (await loaded)?.etag)
  }

  async function refused (error: unknown): Promise<void> {
    if (record !== null && error instanceof ApiError && error.status === 412) return await collide(record)
    if (record !== null && error instanceof ApiError && error.code === 'model_not_found') return setGone(true)
    const found = problemsOf(error, POINTERS)
    setProblems(found)
    if (Object.keys(found).length === 0) setFailure(wordsOf(error))
  }

  async function collide (record: ModelRecord): Promise<void> {
    try {
      const { value, etag } = await getModel(record.id)
      const theirs = draftOf(value)
      setCollision(await conflictWith(record.id, base.draft, draft, theirs))
      setDraft(rebased(draft, base.draft, theirs))
      setBase({ draft: theirs, etag })
    } catch (error) {
      if (error instanceof ApiError && error.code === 'model_not_found') setGone(true)
      else setFailure(wordsOf(error))
    }
  }

  const close = () => dirty && editable ? setLeaving(true) : onClose()
  const set = (changes: Partial<Draft>) => setDraft(draft => ({ ...draft, ...changes }))
  const control = (pointer: typeof FIELDS[number]['pointer']) => {
    const field = FIELDS.find(field => field.pointer === pointer) as typeof FIELDS[number]
    return <Control key={pointer} field={field} value={draft[pointer]} problem={problems[pointer]} source={sourceWords(shown, pointer)} disabled={!editable} onChange={value => set({ [pointer]: value })} />
  }

  return (
    <Dialog title={title(record, editable)} onClose={close} className='editor'>
      <form ref={form} id={formId} onSubmit={async event => await save(event)} noValidate>
        {gone && <Notice tone='warning' title='Another admin deleted this model'>What you typed is still here. Save it to add the model again, at the end of its type.</Notice>}
        {joined && editable && <p className='hint'>What is set here wins over what the inference service says. Empty a field to show what the service says again.</p>}
        {collision !== null && <Conflict collision={collision} draft={draft} onChoose={set} />}
        <div className='pair'>
          <Control field={ID} value={id} problem={problems['/id']} disabled={record !== null || !editable} onChange={value => setId(value as string)} />
          {control('/name')}
        </div>
        {control('/description')}
        <div className='triple'>{control('/type')}{control('/provider')}{control('/contextLength')}</div>
        {control('/isActive')}
        <fieldset className='capabilities'>
          <legend>Capabilities</legend>
          <p className='hint'>Leave open what is not known.</p>
          <div className='pair'>{control('/capabilities/input')}{control('/capabilities/output')}</div>
          <div className='triple'>{control('/capabilities/tools')}{control('/capabilities/reasoning')}{control('/capabilities/structuredOutput')}</div>
        </fieldset>
      </form>
      <footer>
        {failure !== '' && <Notice tone='danger' title='Not saved'>{failure}</Notice>}
        <p role='status' className='visually-hidden'>{busy ? 'Saving…' : ''}</p>
        {leaving
          ? <Leaving onLeave={onClose} onStay={() => setLeaving(false)} heir={() => form.current?.querySelector('input:not([readonly])')} />
          : (
            <div className='row'>
              {editable && <BusyButton type='submit' form={formId} className='primary' busy={busy}>{busy ? 'Saving…' : record === null || gone ? 'Add' : 'Save'}</BusyButton>}
              <button type='button' onClick={close}>{editable ? 'Cancel' : 'Close'}</button>
            </div>
            )}
      </footer>
    </Dialog>
  )
}

/** @param props.heir what gets the focus after “Keep editing”, where nothing that had it is left */
function Leaving ({ onLeave, onStay, heir }: { onLeave: () => void, onStay: () => void, heir: () => Element | null | undefined }) {
  const question = useRef<HTMLDivElement>(null)
  const [before] = useState(() => document.activeElement)
  useFocusHeir(question, () => before?.isConnected === true ? before : heir())
  return (
    <div ref={question} className='row leaving' role='alertdialog' aria-label='Discard what you typed?'>
      <strong>Discard what you typed?</strong>
      <button type='button' className='danger' onClick={onLeave}>Discard</button>
      <button type='button' autoFocus onClick={onStay}>Keep editing</button>
    </div>
  )
}

function title (record: ModelRecord | null, editable: boolean): string {
  if (record === null) return 'Add a model'
  return `${editable ? 'Edit' : 'Details of'} ${record.name}`
}

import { useRef } from 'react'
import { useFocusHeir } from '../shared/focus-heir.ts'
import { BusyButton, Notice } from '../shared/ui.tsx'
import { fieldChanges } from './fields.ts'
import { idsMoved } from './order.ts'
import { useAudit } from './queries.ts'
import type { AuditEntry, ModelRecord } from './records.ts'
import { fullDate, models, relative, wordsOf } from './words.ts'

/** One change: what one person did at one time. */
interface Revision {
  number: number
  who: string
  at: string
  entries: AuditEntry[]
}

/** Entries of a change that are shown at once. */
const SHOWN = 5

/** Who changed what and when, newest first. */
export function History () {
  const { data, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage } = useAudit()
  const revisions = grouped(data?.pages.flatMap(({ data }) => data) ?? [])
  return (
    <>
      {error !== null && <Notice tone='danger' title='The history could not be read'>{wordsOf(error)}</Notice>}
      <p role='status' className='count'>{isPending ? 'Reading the history…' : data !== undefined && revisions.length === 0 ? 'Nothing has been changed yet.' : ''}</p>
      <ol className='history' aria-label='Changes, newest first'>
        {revisions.map(revision => (
          <li key={revision.number}>
            <p className='when'><strong>{revision.who === 'start' ? 'First start' : revision.who}</strong> <time dateTime={revision.at} title={fullDate(revision.at)}>{relative(revision.at)}</time></p>
            <Entries entries={revision.entries} />
          </li>
        ))}
      </ol>
      {hasNextPage && <Older busy={isFetchingNextPage} onClick={fetchNextPage} />}
    </>
  )
}

function Older ({ busy, onClick }: { busy: boolean, onClick: () => unknown }) {
  const button = useRef<HTMLButtonElement>(null)
  useFocusHeir(button, () => null)
  return <BusyButton ref={button} busy={busy} onClick={() => onClick()}>{busy ? 'Reading…' : 'Show older changes'}</BusyButton>
}

function grouped (entries: AuditEntry[]): Revision[] {
  const revisions: Revision[] = []
  for (const entry of entries) {
    const last = revisions.at(-1)
    if (last?.number === entry.revision) last.entries.push(entry)
    else revisions.push({ number: entry.revision, who: entry.who, at: entry.at, entries: [entry] })
  }
  return revisions
}

function Entries ({ entries }: { entries: AuditEntry[] }) {
  const list = (entries: AuditEntry[]) => <ul>{entries.map(entry => <li key={entry.sequence}><Entry entry={entry} /></li>)}</ul>
  const rest = entries.slice(SHOWN)
  return (
    <>
      {list(entries.slice(0, SHOWN))}
      {rest.length > 0 && <details><summary>{rest.length} more in the same change</summary>{list(rest)}</details>}
    </>
  )
}

function Entry ({ entry: { action, modelId, before, after } }: { entry: AuditEntry }) {
  const [old, young] = [before, after] as Array<Partial<ModelRecord>>
  const name = <><strong>{(young ?? old)?.name ?? modelId}</strong> <span className='id'>{modelId}</span></>
  switch (action) {
    case 'create': return <><span className='badge success'>added</span> {name}</>
    case 'delete': return <><span className='badge danger'>deleted</span> {name}</>
    case 'order': return <><span className='badge'>reordered</span> {orderWords(standings(before, after))}</>
    default: return (
      <>
        <span className='badge warning'>changed</span> {name}
        <ul>{fieldChanges(old ?? {}, young ?? {}).map(({ label, before, after }) => <li key={label}>{label}: <del>{before}</del> → <ins>{after}</ins></li>)}</ul>
      </>
    )
  }
}

/** Where a model stands that was moved: behind which other one. */
interface Standing { id: string, behind: string | null }

/** Names of moved models that are told; of more only the number. */
const TOLD = 5

/** Older entries hold all ids in both orders. */
function standings (before: unknown, after: unknown): Standing[] {
  const list = after as Array<string | Standing>
  if (list.every(item => typeof item !== 'string')) return list
  const ids = list as string[]
  return idsMoved(before as string[], ids).map(id => ({ id, behind: ids[ids.indexOf(id) - 1] ?? null }))
}

function orderWords (after: Standing[]): string {
  if (after.length > TOLD) return `${models(after.length)} moved`
  return after.map(({ id, behind }) => behind === null ? `${id} moved to the top` : `${id} moved after ${behind}`).join('; ')
}

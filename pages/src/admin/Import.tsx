import { useQueryClient } from '@tanstack/react-query'
import { useId, useState, type ReactNode } from 'react'
import { flushSync } from 'react-dom'
import { Dialog } from '../shared/dialog.tsx'
import { BusyButton, Notice } from '../shared/ui.tsx'
import { afterEdit } from './actions.ts'
import { ApiError, exportCatalog, importCatalog } from './api.ts'
import { difference, NotACatalog, readCatalog, type Difference, type Item } from './difference.ts'
import { tell } from './notices.tsx'
import type { CatalogFile } from './records.ts'
import { models, wordsOf } from './words.ts'

/** A file that was chosen, and what it would change. */
interface Preview {
  file: CatalogFile
  changes: Difference
  /** The catalog that it was compared with: the import is made only where it is still that one. */
  etag: string | null
}

/** Replaces the catalog by a file, after showing what that changes. */
export function Import ({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const id = useId()
  const [preview, setPreview] = useState<Preview | null>(null)
  const [failure, setFailure] = useState('')
  const [overtaken, setOvertaken] = useState(false)
  const [busy, setBusy] = useState(false)

  async function compare (file: CatalogFile): Promise<void> {
    const { value, etag } = await exportCatalog()
    setPreview({ file, etag, changes: difference(value, file) })
  }

  async function choose (file: File | undefined): Promise<void> {
    setPreview(null)
    setFailure('')
    setOvertaken(false)
    if (file === undefined) return
    try {
      await compare(readCatalog(await file.text()))
    } catch (error) {
      setFailure(error instanceof NotACatalog ? error.message : wordsOf(error))
    }
  }

  async function replace ({ file, etag, changes: { moved } }: Preview): Promise<void> {
    setBusy(true)
    setFailure('')
    try {
      const { created, updated, deleted } = await importCatalog(file, etag)
      // At once: the message gives the focus back to what has it now, and that must not be this dialog.
      flushSync(onClose)
      tell(`Imported: ${models(created)} added, ${updated} changed, ${deleted} removed, ${moved.length} moved.`)
      await afterEdit(client)
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) {
        setOvertaken(true)
        await compare(file).catch(error => setFailure(wordsOf(error)))
      } else {
        setFailure(wordsOf(error))
      }
    } finally {
      setBusy(false)
    }
  }

  return (
    <Dialog title='Import a catalog' onClose={onClose} className='import'>
      <p>The file replaces the whole catalog. Nothing is changed before you have seen what differs.</p>
      <div className='field'>
        <label htmlFor={id}>Catalog file (JSON, as exported)</label>
        <input id={id} type='file' accept='.json,application/json' onChange={async event => await choose(event.target.files?.[0])} />
      </div>
      {failure !== '' && <Notice tone='danger' title='The file was not imported'>{failure}</Notice>}
      {overtaken && <Notice tone='warning' title='The catalog has changed since this preview'>Another admin changed it. This is what the file would change in the catalog as it is.</Notice>}
      {preview !== null && <Changes {...preview.changes} />}
      <footer className='row'>
        {preview !== null && hasChanges(preview.changes) && (
          <BusyButton className={preview.changes.removesMost ? 'danger' : 'primary'} busy={busy} onClick={async () => await replace(preview)}>
            {busy ? 'Importing…' : preview.changes.removesMost ? `Replace, and remove ${models(preview.changes.removed.length)}` : 'Import'}
          </BusyButton>
        )}
        <button type='button' onClick={onClose}>Cancel</button>
      </footer>
    </Dialog>
  )
}

const hasChanges = ({ added, removed, changed, moved }: Difference): boolean => added.length + removed.length + changed.length + moved.length > 0

/** Lines shown of each kind: the rest is counted. */
const MOST = 200

function Changes (changes: Difference) {
  const { added, removed, changed, moved, unchanged } = changes
  const name = (item: Item) => <><strong>{item.name}</strong> <span className='id'>{item.id}</span></>
  return (
    <section className='changes' aria-label='What the import changes' role='status'>
      {!hasChanges(changes) && <p>The file is the same as the catalog: there is nothing to import.</p>}
      <Kind title={`${models(added.length)} added`} items={added} line={name} className='success' />
      <Kind title={`${models(removed.length)} removed`} items={removed} line={name} className='danger' />
      <Kind
        title={`${models(changed.length)} changed`} items={changed.map(({ item, fields }) => ({ ...item, fields }))} className='warning'
        line={item => <>{name(item)}<ul>{item.fields.map(({ label, before, after }) => <li key={label}>{label}: <del>{before}</del> → <ins>{after}</ins></li>)}</ul></>}
      />
      <Kind title={`${models(moved.length)} moved`} items={moved} line={name} className='' />
      <p className='muted'>{models(unchanged)} unchanged.</p>
    </section>
  )
}

function Kind<T extends Item> ({ title, items, line, className }: { title: string, items: T[], line: (item: T) => ReactNode, className: string }) {
  return items.length > 0 && (
    <details open>
      <summary><span className={`badge ${className}`}>{title}</span></summary>
      <ul>{items.slice(0, MOST).map(item => <li key={item.id}>{line(item)}</li>)}{items.length > MOST && <li>and {items.length - MOST} more</li>}</ul>
    </details>
  )
}

import { useCallback, useMemo, useState, type ReactNode } from 'react'
import { Icon } from '../shared/icons.tsx'
import { Notice } from '../shared/ui.tsx'
import { useDelete, useMove, useSwitch, type Progress } from './actions.ts'
import { exportCatalog, hasGaps, listModels, type Filters } from './api.ts'
import { Bulk } from './Bulk.tsx'
import { Editor } from './Editor.tsx'
import { Import } from './Import.tsx'
import { ModelTable } from './ModelTable.tsx'
import { tellFailure } from './notices.tsx'
import { useModels, useStatus } from './queries.ts'
import { MODEL_TYPES, type ModelRecord, type ModelType } from './records.ts'
import { models, wordsOf } from './words.ts'

const NONE: ModelRecord[] = []

/** The table of models, and all that is done with them. */
export function Models () {
  const [filters, setFilters] = useState<Filters>({ q: '', type: null, active: null })
  const { fetchNextPage, ...list } = useModels(filters)
  const records = useMemo(() => list.data?.pages.flatMap(({ data }) => data) ?? NONE, [list.data])
  const { data: status } = useStatus()
  const editable = status?.editable ?? false

  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [editing, setEditing] = useState<ModelRecord | 'new' | null>(null)
  const [importing, setImporting] = useState(false)
  const [progress, setProgress] = useState<Progress | null>(null)
  const deselect = useCallback((ids: string[]) => setSelected(selected => new Set([...selected].filter(id => !ids.includes(id)))), [])
  const { mutate: setActive } = useSwitch(setProgress, deselect)
  const { mutate: move } = useMove(filters, records)
  const { mutate: remove } = useDelete(deselect)

  const onSwitch = useCallback((record: ModelRecord, isActive: boolean) => setActive({ ids: [record.id], isActive }), [setActive])
  const onSelect = useCallback((id: string, on: boolean) => setSelected(selected => {
    const next = new Set(selected)
    if (on) next.add(id)
    else next.delete(id)
    return next
  }), [])

  async function selectAll (on: boolean): Promise<void> {
    setSelected(new Set(on ? records.map(({ id }) => id) : []))
    if (!on || !list.hasNextPage) return
    try {
      setSelected(new Set(await allIds(filters)))
    } catch (error) {
      tellFailure(wordsOf(error))
    }
  }

  return (
    <>
      {status?.editable === false && <NotEditable source={status.source} />}
      <Toolbar filters={filters} onChange={setFilters}>
        <button type='button' onClick={download}><Icon name='download' />Export</button>
        {editable && <button type='button' onClick={() => setImporting(true)}><Icon name='upload' />Import</button>}
        {editable && <button type='button' className='primary' onClick={() => setEditing('new')}><Icon name='plus' />Add a model</button>}
      </Toolbar>
      {list.error !== null && <Notice tone='danger' title='The models could not be read'>{wordsOf(list.error)}</Notice>}
      <div className='beside'>
        <p className='count' role='status'>{list.data === undefined ? (list.isPending ? 'Reading the models…' : '') : found(records.length, list.hasNextPage)}</p>
        {selected.size > 0 && <Bulk count={selected.size} progress={progress} onSwitch={isActive => setActive({ ids: [...selected], isActive })} onClear={() => setSelected(new Set())} />}
      </div>
      <ModelTable
        records={records} editable={editable} selected={selected} stale={list.isPlaceholderData} gaps={hasGaps(filters)}
        more={list.hasNextPage && !list.isFetchingNextPage} onMore={fetchNextPage}
        onSelect={onSelect} onSelectAll={selectAll} onSwitch={onSwitch} onOpen={setEditing} onMove={move} onDelete={(record, onUndo) => remove({ record, onUndo })}
      />
      {editing !== null && <Editor record={editing === 'new' ? null : editing} editable={editable} onClose={() => setEditing(null)} />}
      {importing && <Import onClose={() => setImporting(false)} />}
    </>
  )
}

const found = (count: number, more: boolean): string => more ? `${models(count)} loaded, more as you scroll` : count === 0 ? 'No models found' : models(count)

/** The ids of all models that pass the filters, also of those that have not been loaded. */
async function allIds (filters: Filters): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof listModels>> = await listModels(filters, cursor)
    ids.push(...page.data.map(({ id }) => id))
    cursor = page.next
  } while (cursor !== null)
  return ids
}

async function download (): Promise<void> {
  try {
    const { value } = await exportCatalog()
    const url = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2)], { type: 'application/json' }))
    const link = Object.assign(document.createElement('a'), { href: url, download: 'catalog.json' })
    link.click()
    URL.revokeObjectURL(url)
  } catch (error) {
    tellFailure(`The catalog was not exported. ${wordsOf(error)}`)
  }
}

interface ToolbarProps {
  filters: Filters
  onChange: (filters: Filters) => void
  children: ReactNode
}

function Toolbar ({ filters, onChange, children }: ToolbarProps) {
  return (
    <div className='toolbar' role='search' aria-label='Models'>
      <label className='search'>
        <span className='visually-hidden'>Search models</span>
        <Icon name='search' />
        <input type='search' placeholder='Search id, name, description, provider' value={filters.q} onChange={event => onChange({ ...filters, q: event.target.value })} />
      </label>
      <label>
        <span className='visually-hidden'>Type</span>
        <select value={filters.type ?? ''} onChange={event => onChange({ ...filters, type: event.target.value as ModelType || null })}>
          <option value=''>All types</option>
          {MODEL_TYPES.map(type => <option key={type}>{type}</option>)}
        </select>
      </label>
      <label>
        <span className='visually-hidden'>State</span>
        <select value={String(filters.active ?? '')} onChange={event => onChange({ ...filters, active: event.target.value === '' ? null : event.target.value === 'true' })}>
          <option value=''>Active or not</option>
          <option value='true'>Active</option>
          <option value='false'>Not active</option>
        </select>
      </label>
      <div className='buttons'>{children}</div>
    </div>
  )
}

const HOW: Record<string, string> = {
  static: 'The list is the built-in one, or the file that CATALOG_FILE names: edit that file, and the gateway reads it again. To edit models here, start the gateway with CATALOG_SOURCE=database.',
  inference: 'The list is what the inference service reports. To rename, hide or reorder models here, set DATABASE_URL and start the gateway again.'
}

function NotEditable ({ source }: { source: string }) {
  return <Notice title='Models cannot be changed here'>{HOW[source] ?? 'To edit models here, start the gateway with CATALOG_SOURCE=database.'}</Notice>
}

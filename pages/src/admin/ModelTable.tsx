import { memo, useCallback, useEffect, useLayoutEffect, useRef, useState, type PointerEvent } from 'react'
import { Icon } from '../shared/icons.tsx'
import { abilities } from './fields.ts'
import type { Direction, Place } from './order.ts'
import type { ModelRecord } from './records.ts'
import { useRowDrag } from './row-drag.ts'
import { RowMenu, type Anchor } from './RowMenu.tsx'
import { useRowWindow } from './window.ts'

const NUMBER = new Intl.NumberFormat('en')
/** Rows before the end at which the next page is asked for. */
const AHEAD = 40

interface ModelTableProps {
  records: readonly ModelRecord[]
  editable: boolean
  selected: ReadonlySet<string>
  /** What is shown is the answer to an earlier question. */
  stale: boolean
  /** A filter may hide models between those shown. */
  gaps: boolean
  /** There is more to load. */
  more: boolean
  onMore: () => unknown
  onSelect: (id: string, on: boolean) => void
  onSelectAll: (on: boolean) => unknown
  onSwitch: (record: ModelRecord, isActive: boolean) => void
  onOpen: (record: ModelRecord) => void
  onMove: (move: { record: ModelRecord, place: Place }) => void
  onDelete: (record: ModelRecord, onUndo: () => void) => void
}

/** A model whose row gets the focus as soon as it stands elsewhere than before. */
interface ToFocus {
  id: string
  from: number
  /** Only while the focus is still here. */
  held?: Element | null
}

/** The models, in the order of the catalog. Only rows near the screen are rendered. */
export function ModelTable (props: ModelTableProps) {
  const { records, editable, selected, stale, gaps, more, onMore, onSelect, onSelectAll, onSwitch, onOpen, onMove, onDelete } = props
  const body = useRef<HTMLTableSectionElement>(null)
  const { start, end, height } = useRowWindow(body, records.length)
  const [anchor, setAnchor] = useState<Anchor | null>(null)
  const toFocus = useRef<ToFocus | null>(null)

  useEffect(() => {
    if (more && end > records.length - AHEAD) onMore()
  }, [more, end, records.length, onMore])

  // A model that was moved by key keeps the focus wherever it goes; one that comes back gets it.
  useLayoutEffect(() => {
    if (toFocus.current === null || body.current === null) return
    const { id, from, held } = toFocus.current
    if (held !== undefined && held !== document.activeElement) {
      toFocus.current = null
      return
    }
    const index = records.findIndex(record => record.id === id)
    if (index === -1 || index === from) return
    const control = body.current.querySelector<HTMLElement>(`tr[data-id="${CSS.escape(id)}"] ${held === undefined ? '[data-handle]' : 'th button'}`)
    if (control === null) {
      scrollTo({ top: body.current.getBoundingClientRect().top + scrollY + index * height - innerHeight / 2 })
    } else {
      toFocus.current = null
      control.focus()
    }
  }, [records, start, height])

  const shown = useRef(records)
  useLayoutEffect(() => { shown.current = records }, [records])
  const move = useCallback((record: ModelRecord, place: Place | null) => {
    if (place === null) return
    toFocus.current = { id: record.id, from: shown.current.findIndex(({ id }) => id === record.id) }
    onMove({ record, place })
  }, [onMove])
  const moveByKey = useCallback((record: ModelRecord, direction: Direction) => move(record, placesFor(record, shown.current, gaps)[direction]), [move, gaps])
  const { drag, label, onGrab } = useRowDrag({ body, records, height, onDrop: move })
  const openMenu = useCallback((record: ModelRecord, element: HTMLElement) => setAnchor({ record, element }), [])

  const all = records.length > 0 && records.every(({ id }) => selected.has(id))
  return (
    <>
      <p id='move-help' className='visually-hidden'>Arrow up and down move the model, Home moves it to the top of its type. Enter opens a menu.</p>
      <table className='models' aria-label='Models' aria-busy={stale} aria-rowcount={more ? -1 : records.length + 1} data-editable={editable} data-dragging={drag !== null || undefined}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope='col' className='move'><span className='visually-hidden'>Order</span></th>
            <th scope='col' className='select'>{editable && <input type='checkbox' aria-label='Select all models found' checked={all} onChange={event => onSelectAll(event.target.checked)} />}</th>
            <th scope='col'>Model</th>
            <th scope='col' className='type'>Type</th>
            <th scope='col' className='provider'>Provider</th>
            <th scope='col' className='context'>Context</th>
            <th scope='col' className='abilities'>Capabilities</th>
            <th scope='col' className='active'>Active</th>
            <th scope='col' className='more'><span className='visually-hidden'>More</span></th>
          </tr>
        </thead>
        <tbody ref={body}>
          <Space rows={start} height={height} />
          {records.slice(start, end).map((record, place) => (
            <Row
              key={record.id} record={record} index={start + place} editable={editable} selected={selected.has(record.id)}
              drop={drag?.drop?.id === record.id ? drag.drop.side : undefined} dragged={drag?.record.id === record.id}
              onSelect={onSelect} onSwitch={onSwitch} onOpen={onOpen} onMenu={openMenu} onMove={moveByKey} onGrab={onGrab}
            />
          ))}
          <Space rows={records.length - end} height={height} />
        </tbody>
      </table>
      {drag !== null && <div ref={label} className='dragged-label' aria-hidden='true'>{drag.record.name}</div>}
      {anchor !== null && (
        <RowMenu
          anchor={anchor} places={placesFor(anchor.record, records, gaps)} onClose={() => setAnchor(null)}
          onMove={place => move(anchor.record, place)} onEdit={() => onOpen(anchor.record)} onDelete={() => onDelete(anchor.record, () => { toFocus.current = { id: anchor.record.id, from: -1, held: document.activeElement } })}
        />
      )}
    </>
  )
}

const MOVE_KEYS: Record<string, Direction> = { ArrowUp: 'up', ArrowDown: 'down', Home: 'top' }

/** Where a model would go: beside its neighbours of the same type among the models shown, or to the top of its type. Null where it cannot go. */
function placesFor (record: ModelRecord, records: readonly ModelRecord[], gaps: boolean): Record<Direction, Place | null> {
  const index = records.findIndex(({ id }) => id === record.id)
  const neighbour = (step: number) => records[index + step]?.type === record.type ? records[index + step] : undefined
  const [above, below] = [neighbour(-1), neighbour(1)]
  return { up: above ? { before: above.id } : null, down: below ? { after: below.id } : null, top: above || gaps ? { first: true } : null }
}

/** Stands for rows that are not rendered. Its cell spans nothing: narrow screens hide columns, and further ones would take their share of the width. */
function Space ({ rows, height }: { rows: number, height: number }) {
  return rows > 0 && <tr aria-hidden='true' className='space'><td style={{ height: rows * height }} /></tr>
}

interface RowProps {
  record: ModelRecord
  index: number
  editable: boolean
  selected: boolean
  drop: 'before' | 'after' | undefined
  dragged: boolean
  onSelect: (id: string, on: boolean) => void
  onSwitch: (record: ModelRecord, isActive: boolean) => void
  onOpen: (record: ModelRecord) => void
  onMenu: (record: ModelRecord, element: HTMLElement) => void
  onMove: (record: ModelRecord, direction: Direction) => void
  onGrab: (record: ModelRecord, event: PointerEvent) => void
}

const Row = memo(function Row ({ record, index, editable, selected, drop, dragged, onSelect, onSwitch, onOpen, onMenu, onMove, onGrab }: RowProps) {
  const { id, name, description, type, provider, contextLength, capabilities, isActive, listed } = record
  return (
    <tr data-id={id} data-drop={drop} data-dragged={dragged || undefined} data-off={!isActive || undefined} aria-rowindex={index + 2}>
      <td className='move'>
        {editable && (
          <button
            type='button' data-handle='' className='quiet handle' aria-label={`Move ${name}`} aria-describedby='move-help'
            onPointerDown={event => onGrab(record, event)}
            onClick={event => onMenu(record, event.currentTarget)}
            onKeyDown={event => {
              const direction = MOVE_KEYS[event.key]
              if (direction === undefined) return
              event.preventDefault()
              onMove(record, direction)
            }}
          ><Icon name='grip' />
          </button>
        )}
      </td>
      <td className='select'>{editable && <input type='checkbox' aria-label={`Select ${name}`} checked={selected} onChange={event => onSelect(id, event.target.checked)} />}</td>
      <th scope='row'>
        <button type='button' className='name' onClick={() => onOpen(record)}>{name}</button>
        <span className='about'><span className='id'>{id}</span>{listed === false && <span className='badge warning'>not listed by the service</span>}<span className='description'>{description}</span></span>
      </th>
      <td className='type'><span className={`badge ${type}`}>{type}</span></td>
      <td className='provider'>{provider}</td>
      <td className='context'>{contextLength !== undefined && NUMBER.format(contextLength)}</td>
      <td className='abilities'>{abilities(capabilities).join(', ')}</td>
      <td className='active'>
        <input type='checkbox' role='switch' aria-label={`${name} is active`} checked={isActive} disabled={!editable} onChange={event => onSwitch(record, event.target.checked)} />
      </td>
      <td className='more'>
        {editable && <button type='button' className='quiet icon-only' aria-label={`More actions for ${name}`} onClick={event => onMenu(record, event.currentTarget)}><Icon name='more' /></button>}
      </td>
    </tr>
  )
})

import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { FocusEvent, KeyboardEvent } from 'react'
import { Icon } from '../shared/icons.tsx'
import { BusyButton } from '../shared/ui.tsx'
import { refreshCatalog } from './api.ts'
import { tell, tellFailure } from './notices.tsx'
import { KEYS, useStatus } from './queries.ts'
import type { CatalogStatus } from './records.ts'
import { count, duration, fullDate, relative, wordsOf } from './words.ts'

const SOURCES: Record<string, string> = {
  static: 'the static list',
  database: 'the database',
  inference: 'the inference service',
  snapshot: 'a saved copy',
  curated: 'the curated list'
}
const sourceName = (name: string) => SOURCES[name] ?? name

/** Where the catalog comes from and how fresh it is: one line, and more on request. */
export function Status () {
  const { data: status, error } = useStatus()
  const client = useQueryClient()
  const refresh = useMutation({
    mutationFn: refreshCatalog,
    onSuccess: status => {
      client.setQueryData(KEYS.status, status)
      client.invalidateQueries({ queryKey: KEYS.models })
      if (status.lastError === null) tell('The catalog was refreshed.')
      else tellFailure(`The refresh failed: ${status.lastError.message}`)
    },
    onError: error => tellFailure(wordsOf(error))
  })
  if (status === undefined) return <p className='status muted'>{error === null ? 'Reading the status…' : wordsOf(error)}</p>

  const standsIn = status.origin !== status.source
  const troubled = status.lastError !== null || standsIn || error !== null
  return (
    <details className='status' onBlur={closeOutside} onKeyDown={closeByKey}>
      <summary>
        <span className={troubled ? 'badge warning' : 'badge success'}>{troubled ? 'Needs attention' : 'OK'}</span>
        <span>{count(status.count, 'active model')} from {sourceName(status.origin)}</span>
        <Icon name='chevronDown' />
      </summary>
      <div className='panel'>
        <h2>Catalog status</h2>
        <dl>{lines(status, standsIn).map(([term, text]) => <div key={term}><dt>{term}</dt><dd>{text}</dd></div>)}</dl>
        {error !== null && <p className='problem'>{wordsOf(error)}</p>}
        <BusyButton busy={refresh.isPending} onClick={() => refresh.mutate()}>
          <Icon name='refresh' />{refresh.isPending ? 'Refreshing…' : 'Refresh now'}
        </BusyButton>
      </div>
    </details>
  )
}

function closeOutside ({ currentTarget, relatedTarget }: FocusEvent<HTMLDetailsElement>): void {
  if (!currentTarget.contains(relatedTarget)) currentTarget.open = false
}

function closeByKey ({ key, currentTarget }: KeyboardEvent<HTMLDetailsElement>): void {
  if (key !== 'Escape' || !currentTarget.open) return
  currentTarget.open = false
  currentTarget.querySelector('summary')?.focus()
}

function lines (status: CatalogStatus, standsIn: boolean): Array<[term: string, text: string]> {
  const { lastError, lastFailure, lastSuccess, age, skipped } = status
  return [
    ['Source', sourceName(status.source)],
    ['Shown now', standsIn ? `${sourceName(status.origin)}, which stands in for ${sourceName(status.source)}` : sourceName(status.origin)],
    ['Age', age === null ? 'not known' : duration(age)],
    ['Last success', lastSuccess === null ? 'none yet' : `${relative(lastSuccess)} (${fullDate(lastSuccess)})`],
    ['Last error', lastFailure === null ? 'none' : `${lastFailure.message} (${relative(lastFailure.at)}${lastError === null ? ', over since' : ''})`],
    ['Next try', nextTryOf(status)],
    ...(skipped.count === 0 ? [] : [['Not shown', Object.entries(skipped.reasons).map(([reason, number]) => `${number}: ${reason}`).join('; ')] as [string, string]])
  ]
}

/** A catalog that fails and has no next try is being tried now. */
function nextTryOf ({ lastError, nextTry }: CatalogStatus): string {
  if (nextTry !== null && Date.parse(nextTry) >= Date.now()) return relative(nextTry)
  return nextTry === null && lastError === null ? 'none is needed' : 'now'
}

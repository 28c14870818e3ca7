import { useRef } from 'react'
import { useFocusHeir } from '../shared/focus-heir.ts'
import { BusyButton } from '../shared/ui.tsx'
import type { Progress } from './actions.ts'
import { models } from './words.ts'

interface BulkProps {
  /** How many models are selected. */
  count: number
  /** Null while nothing is under way. */
  progress: Progress | null
  onSwitch: (isActive: boolean) => void
  onClear: () => void
}

/** What can be done with all selected models at once. */
export function Bulk ({ count, progress, onSwitch, onClear }: BulkProps) {
  const group = useRef<HTMLDivElement>(null)
  useFocusHeir(group, () => null)
  const button = (text: string, isActive: boolean) => <BusyButton busy={progress !== null} onClick={() => onSwitch(isActive)}>{text}</BusyButton>
  return (
    <div ref={group} className='bulk' role='group' aria-label='Selected models'>
      <span role='status'>{progress === null ? `${models(count)} selected` : `${progress.done} of ${models(progress.total)} done`}</span>
      {button('Switch on', true)}
      {button('Switch off', false)}
      <button type='button' className='quiet' onClick={onClear}>Clear selection</button>
    </div>
  )
}

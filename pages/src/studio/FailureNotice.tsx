import { useEffect, useState } from 'react'
import { Icon } from '../shared/icons.tsx'
import { Notice } from '../shared/ui.tsx'
import type { Failure } from './failures.ts'
import { YieldingButton } from './YieldingButton.tsx'

/** What went wrong, and the button to try again: after the wait that the answer asked for. */
export function FailureNotice ({ failure, onRetry }: { failure: Failure, onRetry?: (() => void) | undefined }) {
  const left = useCountdown(failure)
  return (
    <Notice
      tone='danger' title={failure.title}
      actions={onRetry !== undefined && (
        <YieldingButton onClick={onRetry} disabled={left > 0}>
          <Icon name='refresh' />Try again
        </YieldingButton>
      )}
    >
      {failure.text}
      {/* Not read out anew at each second. */}
      {left > 0 && <span aria-live='off'> Try again in {left} {left === 1 ? 'second' : 'seconds'}.</span>}
      {failure.said !== undefined && <div>The answer says: “{failure.said}”</div>}
    </Notice>
  )
}

function useCountdown ({ wait = 0 }: Failure): number {
  const [left, setLeft] = useState(wait)
  useEffect(() => {
    const end = Date.now() + wait * 1000
    const timer = setInterval(() => {
      const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000))
      setLeft(seconds)
      if (seconds === 0) clearInterval(timer)
    }, 250)
    return () => clearInterval(timer)
  }, [wait])
  return left
}

import type { ReactNode } from 'react'
import { Icon } from '../shared/icons.tsx'
import { CodeButton } from './code/CodeButton.tsx'
import { FailureNotice } from './FailureNotice.tsx'
import type { Run, Runs } from './runs.ts'
import { YieldingButton } from './YieldingButton.tsx'

interface RunCardProps<Result> {
  run: Run<Result>
  runs: Runs<Result>
  /** The model that made the result, if it is known. */
  model: { label: string, id: string } | undefined
  /** What to show while it is under way. */
  waiting: ReactNode
  children: ReactNode
}

/** One task: what was asked, its result or what went wrong, and what can be done with it. */
export function RunCard<Result> ({ run: { id, task, request, state, failure, duration }, runs, model, waiting, children }: RunCardProps<Result>) {
  return (
    <article className='card run' aria-label={task.title} aria-busy={state === 'running'}>
      <header className='row spread'>
        <h2>{task.title}</h2>
        {state === 'running' && <YieldingButton className='stop' onClick={() => runs.stop(id)}><Icon name='stop' />Stop</YieldingButton>}
      </header>
      {state === 'running' && waiting}
      {state === 'done' && children}
      {state === 'stopped' && <p className='muted'><span className='badge'>Stopped</span> Nothing had arrived.</p>}
      {failure !== undefined && <FailureNotice failure={failure} onRetry={() => runs.retry(id)} />}
      {state !== 'running' && (
        <div className='row spread tools'>
          <dl className='facts'>
            {model !== undefined && <div><dt>{model.label}</dt><dd>{model.id}</dd></div>}
            {duration !== undefined && <div><dt>Time</dt><dd>{(duration / 1000).toFixed(1)} s</dd></div>}
          </dl>
          <div className='row'>
            {failure === undefined && <YieldingButton className='quiet' onClick={() => runs.retry(id)}><Icon name='refresh' />Retry</YieldingButton>}
            <CodeButton request={request} />
            <YieldingButton className='quiet icon-only' aria-label='Remove' title='Remove' onClick={() => runs.remove(id)}><Icon name='trash' /></YieldingButton>
          </div>
        </div>
      )}
    </article>
  )
}

/** Which model made a result: the one that was named, the one that the answer names, or the gateway's default. */
export function usedModel (asked: string | null, answered: string | undefined, byDefault: string | undefined): NonNullable<RunCardProps<never>['model']> {
  if (asked !== null) return { label: 'Model', id: answered ?? asked }
  const id = answered ?? byDefault
  return { label: 'Default model', id: id ?? 'chosen by the gateway' }
}

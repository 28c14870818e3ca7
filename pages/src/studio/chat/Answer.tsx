import { Icon } from '../../shared/icons.tsx'
import { CopyButton } from '../../shared/ui.tsx'
import { CodeButton } from '../code/CodeButton.tsx'
import { FailureNotice } from '../FailureNotice.tsx'
import { useDefaultModels } from '../models/use-catalog.ts'
import { Markdown } from '../markdown/Markdown.tsx'
import { usedModel } from '../RunCard.tsx'
import { YieldingButton } from '../YieldingButton.tsx'
import type { AnswerMessage } from './conversation.ts'

/** A model's answer, with what it cost and what can be done with it. */
export function Answer ({ message, onRetry }: { message: AnswerMessage, onRetry: () => void }) {
  const { text, thinking, state, failure, request } = message
  const underWay = state === 'waiting' || state === 'streaming'
  return (
    <article className={`answer ${state}`} aria-label='Answer' aria-busy={underWay}>
      {thinking !== '' && <details><summary>Thinking</summary><div className='muted thinking'>{thinking}</div></details>}
      {state === 'waiting' && <p className='muted waiting'><span className='dots' aria-hidden='true'><i /><i /><i /></span>Waiting for the first token</p>}
      {text !== '' && <Markdown text={text} />}
      {state === 'stopped' && <p className='muted'><span className='badge'>Stopped</span> {text === '' && 'Nothing had arrived.'}</p>}
      {failure !== undefined && <FailureNotice failure={failure} onRetry={onRetry} />}
      {!underWay && (
        <div className='row spread tools'>
          <Facts message={message} />
          <div className='row'>
            {text !== '' && <CopyButton text={text} />}
            {failure === undefined && <YieldingButton className='quiet' onClick={onRetry}><Icon name='refresh' />Retry</YieldingButton>}
            <CodeButton request={{ operation: 'chat', json: request }} />
          </div>
        </div>
      )}
    </article>
  )
}

function Facts ({ message: { firstToken, duration, usage, request, model } }: { message: AnswerMessage }) {
  const defaults = useDefaultModels()
  const used = usedModel(request.model ?? null, model, defaults.chat)
  const rate = usage !== undefined && firstToken !== undefined && duration !== undefined && duration > firstToken ? usage.output / ((duration - firstToken) / 1000) : undefined
  return (
    <dl className='facts'>
      <div><dt>{used.label}</dt><dd>{used.id}</dd></div>
      {firstToken !== undefined && <div><dt>First token</dt><dd>{seconds(firstToken)}</dd></div>}
      {rate !== undefined && <div><dt>Speed</dt><dd>{rate.toFixed(1)} tokens/s</dd></div>}
      {usage !== undefined && <div><dt>Tokens</dt><dd>{usage.input} in, {usage.output} out</dd></div>}
    </dl>
  )
}

const seconds = (ms: number) => ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`

import { useState } from 'react'
import { Dialog } from '../../shared/dialog.tsx'
import { Icon } from '../../shared/icons.tsx'
import { CopyButton } from '../../shared/ui.tsx'
import { Segments } from '../fields.tsx'
import { useSessionKey } from '../session-key.ts'
import { KEY_VARIABLE, snippets, type SentRequest } from './snippets.ts'

/** Opens a request as code. */
export function CodeButton ({ request }: { request: SentRequest }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <button type='button' className='quiet' onClick={() => setOpen(true)}><Icon name='code' />Code</button>
      {open && <CodeDialog request={request} onClose={() => setOpen(false)} />}
    </>
  )
}

const LANGUAGES = { curl: 'curl', JavaScript: 'JavaScript', Python: 'Python', fetch: 'fetch' }

function CodeDialog ({ request, onClose }: { request: SentRequest, onClose: () => void }) {
  const [language, setLanguage] = useState<keyof typeof LANGUAGES>('curl')
  const { key } = useSessionKey()
  const code = snippets(request, key !== undefined)[language] as string
  const shown = shorten(code)
  return (
    <Dialog title='This request as code' className='code-dialog' onClose={onClose}>
      <div className='row spread'>
        <Segments label='Language' options={LANGUAGES} value={language} onChange={setLanguage} />
        <CopyButton text={code} label='Copy code' />
      </div>
      <pre tabIndex={0} aria-label={`Code for ${language}`}><code>{shown}</code></pre>
      {shown !== code && <p className='muted hint'>Attached files are shortened here, and copied whole.</p>}
      {key !== undefined && <p className='muted hint'>Set {KEY_VARIABLE} to your API key first.</p>}
      {request.form !== undefined && <p className='muted hint'>Run it where the file {request.form.file.name} is.</p>}
    </Dialog>
  )
}

/** An attached picture has more characters than a person reads. */
function shorten (code: string): string {
  return code.replace(/(data:[\w/+.-]+;base64,[\w+/]{24})[\w+/=]{24,}/g, '$1…')
}

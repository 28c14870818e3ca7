import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useSyncExternalStore } from 'react'
import { Dialog } from '../shared/dialog.tsx'
import { PageHeader } from '../shared/ui.tsx'
import { History } from './History.tsx'
import { forgetKey, useHeldKey } from './key.ts'
import { Login } from './Login.tsx'
import { Models } from './Models.tsx'
import { Notices } from './notices.tsx'
import { Status } from './Status.tsx'

/** The page: asks for the key, then shows the models or their history. */
export function App () {
  const { key } = useHeldKey()
  return (
    <>
      <PageHeader current='admin' />
      {key === null
        ? <main className='entrance'><div className='card'><h1>Manage the models</h1><Login /></div></main>
        : <Views />}
      <Notices />
    </>
  )
}

function Views () {
  const { key, refused } = useHeldKey()
  const client = useQueryClient()
  const view = useHash() === '#history' ? 'history' : 'models'
  // With another key, what failed is asked for again.
  useEffect(() => {
    if (!refused) client.invalidateQueries()
  }, [client, key, refused])

  const tab = (name: string, text: string) => <a href={`#${name}`} aria-current={view === name ? 'page' : undefined}>{text}</a>
  return (
    <main className='admin'>
      <div className='top'>
        <h1 tabIndex={-1}>{view === 'models' ? 'Models' : 'History'}</h1>
        <nav aria-label='Views' className='tabs'>{tab('models', 'Models')}{tab('history', 'History')}</nav>
        <Status />
        <button type='button' className='quiet' onClick={() => { forgetKey(); client.clear() }}>Sign out</button>
      </div>
      {view === 'models' ? <Models /> : <History />}
      {/* In front of all else, so that nothing typed behind it is lost. */}
      {refused && <Dialog title='The admin key is needed again' onClose={() => {}}><Login /></Dialog>}
    </main>
  )
}

function useHash (): string {
  return useSyncExternalStore(listener => {
    addEventListener('hashchange', listener)
    return () => removeEventListener('hashchange', listener)
  }, () => location.hash)
}

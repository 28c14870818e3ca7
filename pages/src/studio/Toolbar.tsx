import { useContext, type ReactNode } from 'react'
import { Icon } from '../shared/icons.tsx'
import { StudioContext } from './studio-context.ts'

/** The line above a view: what can be done, and the way to the settings where they are not beside it. */
export function Toolbar ({ children }: { children?: ReactNode }) {
  const { narrow, openSettings } = useContext(StudioContext)
  if (!narrow && children === undefined) return null
  return (
    <div className='toolbar row'>
      {children}
      {narrow && <button type='button' className='quiet' onClick={openSettings}><Icon name='settings' />Settings</button>}
    </div>
  )
}

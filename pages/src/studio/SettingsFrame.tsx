import { useContext, type ReactNode } from 'react'
import { Dialog } from '../shared/dialog.tsx'
import { StudioContext } from './studio-context.ts'

/** Holds a view's settings: beside it, or in a dialog where the window is narrow. */
export function SettingsFrame ({ title, children }: { title: string, children: ReactNode }) {
  const { narrow, settingsOpen, closeSettings } = useContext(StudioContext)
  if (!narrow) return <aside className='settings' aria-label={title}><h2>{title}</h2>{children}</aside>
  if (!settingsOpen) return null
  return <Dialog title={title} className='settings' onClose={closeSettings}>{children}</Dialog>
}

import { createContext } from 'react'

/** The views of the studio, by what they try. */
export const VIEWS = { chat: 'Chat', images: 'Images', speech: 'Speech' }
export type View = keyof typeof VIEWS

interface Studio {
  /** The window has no room for the settings beside the view. */
  narrow: boolean
  /** The dialog with this view's settings is open. */
  settingsOpen: boolean
  openSettings: () => void
  closeSettings: () => void
}

const nothing = () => {}

/** Where a view's settings are. */
export const StudioContext = createContext<Studio>({ narrow: false, settingsOpen: false, openSettings: nothing, closeSettings: nothing })

import { createContext, type RefObject } from 'react'

/** The views of the studio, by what they try. */
export const VIEWS = { chat: 'Chat', images: 'Images', speech: 'Speech' }
export type View = keyof typeof VIEWS

/** Where a person writes, or chooses a file. A view has one of the two at a time, and either takes a reference of this type. */
export type ViewField = RefObject<(HTMLTextAreaElement & HTMLInputElement) | null>

interface Studio {
  /** The view's own field; it gets the focus of buttons that are removed. */
  field: ViewField
  /** The window has no room for the settings beside the view. */
  narrow: boolean
  /** The dialog with this view's settings is open. */
  settingsOpen: boolean
  openSettings: () => void
  closeSettings: () => void
}

const nothing = () => {}

/** Where a view's field and its settings are. */
export const StudioContext = createContext<Studio>({ field: { current: null }, narrow: false, settingsOpen: false, openSettings: nothing, closeSettings: nothing })

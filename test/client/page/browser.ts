import { hydrateRoot } from 'react-dom/client'
import { view } from './view.ts'

const root = hydrateRoot(document.querySelector('main')!, view())
Object.assign(window, { unmount: () => root.unmount() })

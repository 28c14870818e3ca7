import { hydrateRoot } from 'react-dom/client'
import { view } from './view.ts'

// The tests are compiled without the types of browsers.
const { document, window } = globalThis as unknown as { document: { querySelector (selector: string): Element }, window: object }
type Element = Parameters<typeof hydrateRoot>[0]

const root = hydrateRoot(document.querySelector('main'), view())
Object.assign(window, { unmount: () => root.unmount() })

import { version } from 'react'
import { renderToString } from 'react-dom/server'
import { view } from './view.ts'

export { version }
export const render = () => renderToString(view())

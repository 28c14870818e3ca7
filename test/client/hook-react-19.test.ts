// The React hook in a real browser, bundled with React 19.
import { testHook } from './hook.ts'

testHook(19)

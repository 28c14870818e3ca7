// The React hook in a real browser, bundled with React 18.
import { testHook } from './hook.ts'

testHook(18)

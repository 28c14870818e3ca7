import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Collects garbage now, in this process. */
export const collectGarbage: () => void = runInNewContext('gc')

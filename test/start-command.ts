import manifest from '../package.json' with { type: 'json' }

/** What stands behind the `exec node` of `npm start`: Node's arguments, and last the source that it runs, below the project's folder. */
export const START: readonly string[] = manifest.scripts.start.split('exec node ')[1]!.split(' ')

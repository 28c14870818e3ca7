/**
 * Runs after `npm ci`, and also after `npm ci --omit=dev`, where there are no
 * build tools: JavaScript, since that may be an older Node.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

if (existsSync(new URL('../node_modules/vite', import.meta.url))) process.exitCode = spawnSync('npm run build', { shell: true, stdio: 'inherit' }).status ?? 1
else console.log('The pages are not built: Vite is not installed (npm ci --omit=dev).')

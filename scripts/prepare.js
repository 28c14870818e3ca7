/**
 * Runs at the end of `npm ci` and `npm install`: builds the client and the
 * pages. JavaScript itself, since any Node may run it. An installation
 * without development packages (`--omit=dev`) has nothing to build with: it keeps
 * what is built already.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const tools = ['typescript', 'vite']
const missing = tools.filter(name => !existsSync(new URL(`../node_modules/${name}/package.json`, import.meta.url)))

if (missing.length > 0) console.log(`not built: ${missing.join(', ')} not installed`)
else execFileSync('npm', ['run', 'build'], { stdio: 'inherit', shell: process.platform === 'win32' })

// Secrets from files, as Docker and Kubernetes hand them out: NAME_FILE in place of
// NAME. A file that is missing, or was emptied, stops the start; it must not open
// the gateway to all.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ConfigError, loadConfig } from '../../src/config.ts'
import { readSecretFiles } from '../../src/config/secrets.ts'

const folder = t.testdir({})
let files = 0
function file (content: string): string {
  const path = join(folder, String(files++))
  writeFileSync(path, content)
  return path
}
const problemsOf = (environment: Record<string, string>) => {
  try {
    readSecretFiles(environment)
    return []
  } catch (error) {
    return (error as ConfigError).problems
  }
}

t.test('lists: a key a line, or separated by commas', async t => {
  for (const content of ['alice:k1,k2', 'alice:k1\nk2\n', 'alice:k1,\r\nk2\r\n\r\n', '\n alice:k1 \n\n k2']) {
    t.same(loadConfig(readSecretFiles({ API_KEYS_FILE: file(content) })).API_KEYS, ['alice:k1', 'k2'], JSON.stringify(content))
  }
  t.same(loadConfig(readSecretFiles({ ADMIN_API_KEY_FILE: file('a:k\nb:l\n') })).ADMIN_API_KEY, ['a:k', 'b:l'])
})

t.test('single secrets lose the line break at their end, and no more', async t => {
  t.equal(loadConfig(readSecretFiles({ INFERENCE_API_KEY_FILE: file('sk-1,2\n') })).INFERENCE_API_KEY, 'sk-1,2')
  t.equal(loadConfig(readSecretFiles({ DATABASE_URL_FILE: file('postgres://u:p@h/d\r\n') })).DATABASE_URL, 'postgres://u:p@h/d')
  t.equal(loadConfig(readSecretFiles({ REDIS_URL_FILE: file('redis://h') })).REDIS_URL, 'redis://h')
  t.throws(() => loadConfig(readSecretFiles({ INFERENCE_API_KEY_FILE: file('one\ntwo\n') })), /INFERENCE_API_KEY must/)
})

t.test('the files are read anew each time; the environment is left as it is', async t => {
  const path = file('k1')
  const environment = Object.freeze({ API_KEYS_FILE: path, PORT: '1' })
  t.match(readSecretFiles(environment), { API_KEYS: 'k1', PORT: '1' })
  writeFileSync(path, 'k2')
  t.match(readSecretFiles(environment), { API_KEYS: 'k2' })
})

t.test('every problem at once, with no path and no content', async t => {
  const path = file('hunter2')
  const gone = file('')
  rmSync(gone)
  t.same(problemsOf({ API_KEYS: 'k', API_KEYS_FILE: path, ADMIN_API_KEY_FILE: gone, INFERENCE_API_KEY_FILE: file(' \n'), DATABASE_URL_FILE: folder, REDIS_URL_FILE: ' ' }), [
    'API_KEYS and API_KEYS_FILE must not both be set',
    'ADMIN_API_KEY_FILE must name a file that can be read (ENOENT)',
    'INFERENCE_API_KEY_FILE must name a file that is not empty',
    'DATABASE_URL_FILE must name a file that can be read (EISDIR)'
  ])
  t.same(problemsOf({ API_KEYS: ' ', API_KEYS_FILE: path }), [], 'an empty variable counts as unset')
})

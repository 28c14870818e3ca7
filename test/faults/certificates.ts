import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A key and its certificate, PEM. */
export interface Identity { readonly key: string, readonly cert: string }

/** Identities of an upstream: one that is sound, and the ways in which others are not. */
export interface Certificates {
  /** The private authority that signed all but `selfSigned`: its file. */
  readonly authority: string
  /** An authority that signed none of them: its file. */
  readonly stranger: string
  readonly good: Identity
  readonly selfSigned: Identity
  readonly wrongName: Identity
  readonly expired: Identity
  readonly notYetValid: Identity
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
const GOOD_NAME = 'DNS:localhost,IP:127.0.0.1,IP:::1'

/** Makes {@link Certificates} for localhost with the `openssl` command, in a directory that exists. */
export function makeCertificates (directory: string): Certificates {
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  const file = (name: string) => join(directory, name)
  const identity = (name: string): Identity => ({ key: readFileSync(file(`${name}.key`), 'utf8'), cert: readFileSync(file(`${name}.pem`), 'utf8') })
  const selfSign = (name: string, subjectName: string) => run('req', '-x509', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=${subjectName}`)

  selfSign('authority', 'DNS:authority')
  selfSign('stranger', 'DNS:stranger')
  selfSign('self', GOOD_NAME)
  writeFileSync(file('index.txt'), '')
  // `openssl ca` is the only command of all versions that sets both dates.
  writeFileSync(file('ca.cnf'), '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\ncopy_extensions=copy\nunique_subject=no\npolicy=any\n[any]\ncommonName=supplied\n')
  const sign = (name: string, subjectName: string, from: string, to: string): Identity => {
    run('req', '-new', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${subjectName}`)
    run('ca', '-config', 'ca.cnf', '-batch', '-notext', '-cert', 'authority.pem', '-keyfile', 'authority.key', '-in', `${name}.csr`, '-out', `${name}.pem`, '-startdate', from, '-enddate', to)
    return identity(name)
  }
  return {
    authority: file('authority.pem'),
    stranger: file('stranger.pem'),
    good: sign('good', GOOD_NAME, '20200101000000Z', '20491231000000Z'),
    selfSigned: identity('self'),
    wrongName: sign('other', 'DNS:other.example,IP:127.0.0.2', '20200101000000Z', '20491231000000Z'),
    expired: sign('expired', GOOD_NAME, '20200101000000Z', '20200102000000Z'),
    notYetValid: sign('early', GOOD_NAME, '20480101000000Z', '20491231000000Z')
  }
}

// The inference service has to prove who it is before it is sent the key, also
// when it is only asked for its models.
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { InferenceModels } from '../../src/catalog/inference.ts'
import { loadConfig } from '../../src/config.ts'
import { trustedAuthorities } from '../../src/proxy/certificates.ts'
import { makeCertificates } from '../faults/certificates.ts'

const { authority, stranger, good, selfSigned, wrongName, expired } = makeCertificates(t.testdir())

for (const [name, identity, file, reason] of [
  ['a sound one', good, authority, undefined],
  ['one that nobody vouches for', good, undefined, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['one that a stranger vouches for', good, stranger, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['self-signed', selfSigned, authority, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['of another name', wrongName, authority, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['expired', expired, authority, 'CERT_HAS_EXPIRED']
] as const) {
  t.test(name, async t => {
    let keys = 0
    const server = createServer(identity, (request, response) => {
      if (request.headers.authorization !== undefined) keys++
      response.end('[{"id":"m"}]')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => { server.closeAllConnections(); server.close() })
    const url = `https://localhost:${(server.address() as AddressInfo).port}`
    const models = new InferenceModels(loadConfig({ INFERENCE_SERVICE_URL: url, INFERENCE_API_KEY: 'secret' }), { ca: file === undefined ? undefined : trustedAuthorities(file) })
    t.teardown(async () => await models.close())
    const load = models.load(new AbortController().signal)
    if (reason === undefined) t.same((await load).models, [{ id: 'm' }])
    else await t.rejects(load, new Error(`The inference service cannot be used (${reason}).`))
    t.equal(keys, reason === undefined ? 1 : 0)
  })
}

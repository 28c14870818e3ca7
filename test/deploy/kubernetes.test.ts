// The Kubernetes overlays, built by kubectl's kustomize as an operator builds
// them. Each object is checked against the published schemas of its kind, and
// for fields that the kind does not have. Then what no schema can know: which
// pods a selector selects, whether volumes and ports that are named exist.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { nodeCommand } from '../spawn.ts'
import { areSettings } from './settings.ts'

interface KubernetesObject { apiVersion: string, kind: string, metadata: { name: string, namespace?: string, labels?: Record<string, string> }, [field: string]: any }

const folder = (overlay: string) => new URL(`../../deploy/kubernetes/overlays/${overlay}`, import.meta.url).pathname

function build (overlay: string): KubernetesObject[] {
  const text = execFileSync('kubectl', ['kustomize', folder(overlay)], { encoding: 'utf8' })
  return parseAllDocuments(text).map(document => document.toJS())
}

/** The package with the schema of an object: Kubernetes' own, or the Prometheus Operator's. */
function schemaModule ({ apiVersion, kind }: KubernetesObject): string {
  return `${apiVersion.startsWith('monitoring.coreos.com/') ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${apiVersion}/${kind}`
}

async function isValid (t: Test, object: KubernetesObject): Promise<void> {
  const module = await import(schemaModule(object))
  t.doesNotThrow(() => { new module[object.kind](object).validate() }, `${object.kind} is what the schema asks for`)
}

/** The schemas let unknown fields through; the types of the same package do not: TypeScript refuses them in a literal. */
function hasNoUnknownField (t: Test, objects: KubernetesObject[]): void {
  const source = objects.map((object, place) => `import type { I${object.kind} as T${place} } from '${schemaModule(object)}'\nexport const object${place}: T${place} = ${JSON.stringify(object, null, 2)}\n`).join('')
  const folder = t.testdir({ 'objects.ts': source })
  const root = new URL('../..', import.meta.url).pathname
  try {
    execFileSync(...nodeCommand([join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--ignoreConfig', '--skipLibCheck', '--module', 'nodenext', '--types', 'node', join(folder, 'objects.ts')]), { encoding: 'utf8' })
    t.pass('no unknown field')
  } catch (error) {
    t.fail(`unknown fields:\n${(error as { stdout: string }).stdout}`)
  }
}

const KINDS = {
  sqlite: ['ConfigMap', 'Deployment', 'NetworkPolicy', 'PersistentVolumeClaim', 'Secret', 'Service', 'ServiceMonitor'],
  postgres: ['ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'NetworkPolicy', 'PodDisruptionBudget', 'Secret', 'Service', 'ServiceMonitor']
}

const overlays = Object.entries(KINDS).map(([overlay, kinds]) => ({ overlay, kinds, objects: build(overlay) }))

t.test('no object has a field that its kind does not have', t => {
  hasNoUnknownField(t, overlays.flatMap(({ objects }) => objects))
  t.end()
})

for (const { overlay, kinds, objects } of overlays) {
  t.test(`overlay ${overlay}`, async t => {
    const one = (kind: string) => objects.find(object => object.kind === kind)!
    t.strictSame(objects.map(({ kind }) => kind).sort(), kinds)
    for (const object of objects) await isValid(t, object)

    const deployment = one('Deployment').spec
    const { labels } = deployment.template.metadata
    const selectors = [deployment.selector.matchLabels, one('Service').spec.selector, one('NetworkPolicy').spec.podSelector.matchLabels, one('PodDisruptionBudget')?.spec.selector.matchLabels ?? labels]
    for (const selector of selectors) t.strictSame(selector, labels, 'selects the gateway\'s pods and no others')
    t.strictSame(one('ServiceMonitor').spec.selector.matchLabels, one('Service').metadata.labels, 'the monitor selects the service')
    if (overlay === 'postgres') t.equal(one('HorizontalPodAutoscaler').spec.scaleTargetRef.name, one('Deployment').metadata.name)

    const pod = deployment.template.spec
    const [container] = pod.containers
    const ports = container.ports.map(({ name }: { name: string }) => name)
    for (const { targetPort } of one('Service').spec.ports) t.ok(ports.includes(targetPort), `the container has a port ${targetPort}`)
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) t.ok(ports.includes(container[probe].httpGet.port), probe)
    t.equal(container.livenessProbe.httpGet.path, '/healthz', 'a pod that drains is not restarted')
    t.strictSame(container.volumeMounts.map(({ name }: { name: string }) => name).sort(), pod.volumes.map(({ name }: { name: string }) => name).sort())
    t.strictSame(container.envFrom.map((source: any) => (source.configMapRef ?? source.secretRef).name), [one('ConfigMap').metadata.name, one('Secret').metadata.name])
    areSettings(t, [...Object.keys(one('ConfigMap').data), ...Object.keys(one('Secret').data)])
    t.equal(one('ConfigMap').data.METRICS_PORT, String(container.ports.find(({ name }: { name: string }) => name === 'metrics').containerPort))

    const grace = 30
    t.ok(pod.terminationGracePeriodSeconds > container.lifecycle.preStop.sleep.seconds + grace, 'time for preStop and SHUTDOWN_GRACE')
    t.match(pod.securityContext, { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }, 'the restricted Pod Security Standard')
    t.match(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
    // The autoscaler's number must not be reset by each apply.
    t.equal(deployment.replicas, overlay === 'sqlite' ? 1 : undefined)
    if (overlay === 'sqlite') t.strictSame(deployment.strategy, { type: 'Recreate' }, 'never two pods on one file')
  })
}

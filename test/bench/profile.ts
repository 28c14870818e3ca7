import { readdirSync, readFileSync } from 'node:fs'
import { startGateway } from './candidates.ts'
import { cpuDuring, requestLoad, withUpstream, type Ask, type Options, type Row, type Table } from './measure.ts'

interface CpuProfile {
  nodes: { id: number, callFrame: { functionName: string, url: string } }[]
  startTime: number
  samples: number[]
  timeDeltas: number[]
}

// First match wins; a frame without a URL is native code.
const LAYERS: [label: string, url: RegExp][] = [
  ['the gateway: request body (src/body)', /\/src\/body\//],
  ['the gateway: relay (src/proxy/relay.ts)', /\/src\/proxy\/relay\./],
  ['the gateway: header rules (src/proxy/header*.ts)', /\/src\/proxy\/header/],
  ['the gateway: connections and transfer (the rest of src/proxy)', /\/src\/proxy\//],
  ['the gateway: telemetry (src/telemetry)', /\/src\/telemetry\//],
  ['the gateway: HTTP (src/http)', /\/src\/http\//],
  ['the gateway: the rest of src', /\/src\/(?!.*node_modules)/],
  ['undici', /node_modules\/undici\//],
  ['@fastify/http-proxy', /node_modules\/@fastify\/(http-proxy|reply-from)\//],
  ['pino', /node_modules\/(pino|sonic-boom|fast-redact|safe-stable-stringify|quick-format-unescaped|pino-std-serializers|@pinojs)\//],
  ['Fastify', /node_modules\/(fastify|find-my-way|avvio|light-my-request|fastq|secure-json-parse|process-warning)\//],
  ['other plugins of Fastify', /node_modules\//],
  ['Node: http', /^node:(_http|internal\/http)/],
  ['Node: sockets and streams', /^node:(net|internal\/(streams|stream_base_commons|js_stream))|^node:(stream|internal\/net)/],
  ['Node: timers, events, buffers, the rest', /^node:/]
]

function layerOf ({ functionName, url }: { functionName: string, url: string }): string | undefined {
  if (functionName === '(idle)') return undefined
  if (functionName === '(garbage collector)') return 'garbage collection'
  const plugin = /\/plugins\/([\w-]+)\.ts$/.exec(url)
  if (plugin !== null) return `the gateway: hooks and handler of plugins/${plugin[1]}.ts`
  if (url === '') return 'native: system calls, HTTP parsers, V8'
  return LAYERS.find(([, pattern]) => pattern.test(url))?.[0] ?? 'other'
}

/** Where the CPU time of one request goes, by the sampling profiler. */
export async function profileTable (options: Options, ask: Ask): Promise<Table> {
  const folder = `${options.scratch}/profile`
  const samples = new Map<string, number>()
  let perRequest = 0
  await withUpstream('json', async upstreamPort => {
    const running = await startGateway({ scratch: options.scratch, upstreamPort, nodeArguments: ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=200'] })
    let from = 0n
    let to = 0n
    try {
      const load = { scratch: options.scratch, connections: 32, seconds: options.extent === 'quick' ? 2 : 5 }
      await requestLoad(running, ask, load)
      from = process.hrtime.bigint() / 1000n
      const [cpu, report] = await cpuDuring(running, () => requestLoad(running, ask, load))
      to = process.hrtime.bigint() / 1000n
      perRequest = cpu / report.requests! * 1e6
    } finally {
      await running.stop()
    }
    const [file] = readdirSync(folder)
    const { nodes, startTime, samples: ids, timeDeltas }: CpuProfile = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8'))
    const layers = new Map(nodes.map(node => [node.id, layerOf(node.callFrame)]))
    let now = startTime
    for (const [i, id] of ids.entries()) {
      now += timeDeltas[i]!
      const layer = layers.get(id)
      if (layer !== undefined && now >= Number(from) && now <= Number(to)) samples.set(layer, (samples.get(layer) ?? 0) + 1)
    }
  })
  const total = [...samples.values()].reduce((a, b) => a + b, 0)
  const rows = [...samples].sort((a, b) => b[1] - a[1]).map(([label, count]): Row => ({ candidate: label, label, samples: [{ share: count / total * 100, cpu: count / total * perRequest }] }))
  return {
    name: 'profile',
    title: 'Where the time of a 1 KB chat request goes',
    about: `Model put in, gateway under \`--cpu-prof\`: the profiler itself makes each request dearer (${perRequest.toFixed(0)} µs here). Time spent in a function itself, not in what it calls.`,
    columns: [{ key: 'share', label: '%', digits: 1 }, { key: 'cpu', label: 'µs', digits: 1 }],
    rows
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import type { Teardown } from '../helper.ts'

/** A panel of the dashboard, in Grafana's own shape. */
export interface Panel {
  readonly type: 'stat' | 'timeseries'
  readonly title: string
  readonly description: string
  /** In columns of 24 and rows. */
  readonly gridPos: { readonly x: number, readonly y: number, readonly w: number, readonly h: number }
  readonly fieldConfig: { readonly defaults: { readonly unit: string, readonly thresholds?: { readonly steps: readonly { readonly color: string, readonly value: number | null }[] } } }
  readonly targets: readonly { readonly expr: string, readonly legendFormat: string }[]
}

/** The panels of deploy/grafana/gateway.json, in its order. */
export async function readPanels (): Promise<Panel[]> {
  return (JSON.parse(await readFile(join(import.meta.dirname, '../../deploy/grafana/gateway.json'), 'utf8')) as { panels: Panel[] }).panels
}

/** A panel's query as Grafana sends it for all instances and models, with rates over 10 s. */
export function promqlOf (expr: string): string {
  return expr.replaceAll('$__rate_interval', '10s').replace(/\$(instance|model)/g, '.*')
}

/** A Prometheus that scrapes that port twice a second, until the test ends; its address. */
export async function startPrometheus (t: Teardown, target: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'prometheus-'))
  await mkdir(join(folder, 'data'))
  await writeFile(join(folder, 'prometheus.yml'), `scrape_configs:\n  - job_name: gateway\n    scrape_interval: 500ms\n    scrape_timeout: 500ms\n    static_configs:\n      - targets: ['127.0.0.1:${target}']\n`)
  const port = await freePort()
  const child = spawn('prometheus', [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' })
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true })
  })
  return `http://127.0.0.1:${port}`
}

/** A series that a query has found: `value` of `query`, `values` of `query_range`. Each is seconds since 1970, and a number as text. */
export interface FoundSeries {
  readonly metric: Readonly<Record<string, string>>
  readonly values?: readonly (readonly [time: number, value: string])[]
}

/**
 * Asks Prometheus' HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/).
 * Nothing is found while it does not answer yet. @throws Error for a query that it refuses
 */
export async function askPrometheus (prometheus: string, api: 'query' | 'query_range', parameters: { readonly query: string } & Record<string, string>): Promise<readonly FoundSeries[]> {
  const answer = await fetch(`${prometheus}/api/v1/${api}?${new URLSearchParams(parameters)}`).then(async response => await response.json() as any, () => undefined)
  if (answer?.status === 'error') throw new Error(`${parameters.query}: ${answer.error}`)
  return answer?.data?.result ?? []
}

// The systemd units: systemd itself reads them, and rates how much they allow.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { areSettings } from './settings.ts'

/** Exposure as systemd-analyze counts it: 0 is closed, 10 is open. Its own word for 1.0 to 3.0 is "OK". */
const MAX_EXPOSURE = 2.5

const missing = spawnSync('systemd-analyze', ['--version']).status === 0 || process.env.CI ? false : 'no systemd-analyze on this machine'
const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

for (const [file, instance] of [['model-gateway.service', 'model-gateway.service'], ['model-gateway@.service', 'model-gateway@0.service']] as const) {
  t.test(file, { skip: missing }, t => {
    const source = readFileSync(new URL(`../../deploy/${file}`, import.meta.url), 'utf8')
    // The programs of this machine stand where it has them.
    const unit = source.replace('/usr/bin/node', process.execPath)
    const folder = t.testdir({ [instance]: unit })
    const verified = spawnSync('systemd-analyze', ['verify', '--recursive-errors=no', join(folder, instance)], { encoding: 'utf8' })
    t.equal(verified.stdout + verified.stderr, '', 'systemd has no complaint')
    t.equal(verified.status, 0)
    const rated = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', join(folder, instance)], { encoding: 'utf8' })
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(rated)?.[1])
    t.ok(exposure <= MAX_EXPOSURE, `exposure ${exposure}`)

    t.ok(unit.includes(manifest.scripts.start.match(/--disable-warning.*$/)[0]), 'started with the flags of npm start')
    areSettings(t, [...source.matchAll(/^Environment=(\w+)=/gm)].map(([, name]) => name!))
    t.end()
  })
}

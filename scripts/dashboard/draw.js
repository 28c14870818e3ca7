// Runs in the page of dashboard-picture.ts: draws each panel with uPlot, in the dashboard's own layout.

const Chart = window.uPlot
const COLOURS = ['#56a64b', '#e0b400', '#3274d9', '#ff780a', '#e02f44', '#a352cc', '#0a7c8c', '#8f6b32']
const THRESHOLDS = { green: '#56a64b', yellow: '#e0b400', red: '#e02f44' }
const POWERS_OF_TWO = Array.from({ length: 50 }, (_, i) => 2 ** i)
const FONT = '11px system-ui, "DejaVu Sans", sans-serif'

/** Grafana's ids of units, as text. */
const UNITS = {
  none: value => short(value),
  reqps: value => `${short(value)} req/s`,
  percentunit: value => `${short(value * 100)} %`,
  s: value => value !== 0 && Math.abs(value) < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`,
  bytes: value => scaled(value, ['B', 'KiB', 'MiB', 'GiB'])
}

function short (value) {
  return Math.abs(value) >= 1000 ? `${Number((value / 1000).toPrecision(3))} K` : String(Number(value.toPrecision(3)))
}

function scaled (value, [unit, ...larger]) {
  return Math.abs(value) < 1024 || larger.length === 0 ? `${short(value)} ${unit}` : scaled(value / 1024, larger)
}

/** The text of a value; `suffix:x` is Grafana's way to write a unit that it does not know. */
function formatOf (unit) {
  return unit.startsWith('suffix:') ? value => `${short(value)} ${unit.slice(7).trim()}` : UNITS[unit]
}

function element (parent, name, className = '', text = '') {
  const made = document.createElement(name)
  made.className = className
  made.textContent = text
  return parent.appendChild(made)
}

function plot (parent, { times, curves }, { colours, axes, padding }) {
  const { clientWidth: width, clientHeight: height } = parent
  const series = curves.map((_, i) => ({ stroke: colours[i % colours.length], fill: `${colours[i % colours.length]}1a`, width: 1.5, points: { show: false } }))
  return new Chart({ width, height, padding, axes, legend: { show: false }, cursor: { show: false }, scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } }, series: [{}, ...series] }, [times, ...curves.map(({ values }) => values)], parent)
}

function drawStat (parent, drawing, { unit, thresholds }) {
  const last = drawing.curves[0].values.findLast(value => value !== null) ?? 0
  const { color } = thresholds.steps.findLast(({ value }) => value === null || last >= value)
  const colour = THRESHOLDS[color]
  plot(element(parent, 'div', 'plot'), drawing, { colours: [colour], axes: [{ show: false }, { show: false }], padding: [40, 0, 0, 0] })
  element(parent, 'div', 'value', formatOf(unit)(last)).style.color = colour
}

function drawCurves (parent, drawing, { unit }) {
  const format = formatOf(unit)
  const area = element(parent, 'div', 'plot')
  const legend = element(parent, 'div', 'legend')
  for (const [i, { name, values }] of drawing.curves.entries()) {
    const known = values.filter(value => value !== null)
    const entry = element(legend, 'span', '', `${name} `)
    entry.style.setProperty('--color', COLOURS[i % COLOURS.length])
    element(entry, 'small', '', known.length === 0 ? 'no value' : `mean ${format(known.reduce((sum, value) => sum + value, 0) / known.length)}, max ${format(Math.max(...known))}`)
  }
  const grid = { stroke: '#e8eaec', width: 1 }
  const line = { font: FONT, stroke: '#6a7178', grid, ticks: { show: false } }
  const axes = [
    { ...line, size: 26, gap: 8, space: 90, values: (_plot, ticks) => ticks.map(tick => new Date(tick * 1000).toISOString().slice(11, 19)) },
    { ...line, ...(unit === 'bytes' && { incrs: POWERS_OF_TWO }), size: 74, gap: 6, space: 26, values: (_plot, ticks) => ticks.map(format) }
  ]
  plot(area, drawing, { colours: COLOURS, axes, padding: [6, 20, 0, 0] })
}

/** @param drawings see `Drawing` in dashboard-picture.ts */
// eslint-disable-next-line no-unused-vars
function drawDashboard (drawings) {
  const main = document.querySelector('main')
  const panels = drawings.map(({ panel: { type, title, gridPos: { x, y, w, h } } }) => {
    const panel = element(main, 'section', `panel ${type}`)
    panel.style.gridArea = `${y + 1} / ${x + 1} / span ${h} / span ${w}`
    element(panel, 'h2', '', title)
    return panel
  })
  for (const [i, drawing] of drawings.entries()) {
    if (drawing.curves.length === 0) element(panels[i], 'div', 'nothing', 'No data')
    else (drawing.panel.type === 'stat' ? drawStat : drawCurves)(panels[i], drawing, drawing.panel.fieldConfig.defaults)
  }
}

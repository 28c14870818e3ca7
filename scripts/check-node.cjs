// `npm start` runs this first. It is plain JavaScript because an old Node.js must
// be able to run it: such a version knows neither the options nor the TypeScript
// of the gateway, and would only say "bad option".
const needed = require('../package.json').engines.node
const number = text => text.match(/(\d+)\.(\d+)/).slice(1).map(Number)
const wanted = number(needed)
const found = number(process.version)

if (found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])) {
  console.error(`The model gateway needs Node.js ${needed}. This is Node.js ${process.version} (${process.execPath}).`)
  process.exit(1)
}

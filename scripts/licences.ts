/**
 * `npm run licences`: writes docs/licences.md, the packages of which the
 * gateway's process consists, with their licences, from the lock file.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

/** Licences that only require their text to be kept. */
const ACCEPTED = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD', 'BlueOak-1.0.0']

/** The part of a CycloneDX document (`npm sbom`) that is read. */
export interface Bom { components: Array<{ name: string, version: string, licenses?: Array<{ license?: { id?: string, name?: string }, expression?: string }> }> }

/** The CycloneDX document of what is installed in production, from the lock file. */
export function productionBom (): Bom {
  return JSON.parse(execFileSync('npm', ['sbom', '--sbom-format=cyclonedx', '--omit=dev', '--package-lock-only'], { encoding: 'utf8', maxBuffer: 1e8 }))
}

/** Components of the project itself, which have its own licence. */
const OWN = /^model-gateway/

function licenceOf ({ licenses = [] }: Bom['components'][number]): string {
  return licenses.map(({ license, expression }) => expression ?? license?.id ?? license?.name).join(', ')
}

/** The page, and the packages without an accepted licence. */
export function licencePage (bom: Bom): { page: string, refused: string[] } {
  const packages = bom.components.filter(({ name }) => !OWN.test(name))
    .map(component => ({ name: component.name, version: component.version, licence: licenceOf(component) }))
    .sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1)
  const rows = packages.map(({ name, version, licence }) => `| \`${name}\` | ${version} | ${licence} |\n`).join('')
  return {
    page: `# Licences\n\nThe packages of which the gateway's process consists. The built pages contain further ones: React and TanStack Query (MIT), and openai (Apache-2.0). Made by \`npm run licences\` from the lock file.\n\n| package | version | licence |\n|---|---|---|\n${rows}`,
    refused: packages.filter(({ licence }) => !ACCEPTED.includes(licence)).map(({ name, licence }) => `${name}: ${licence || 'none stated'}`)
  }
}

if (import.meta.main) writeFileSync(new URL('../docs/licences.md', import.meta.url), licencePage(productionBom()).page)

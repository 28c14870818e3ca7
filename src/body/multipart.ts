import type { ModelScanner } from './scanner.ts'
export function boundaryOf (t: string): string { return t }
export class MultipartModelScanner implements ModelScanner {
  settled = true; delta = 0; model = undefined
  readonly boundary: string
  constructor (_model: string | undefined, boundary: string) { this.boundary = boundary }
  write (c: Buffer) { return [c] }
  end () { return [] }
}

// Writes public/samples/*.csv: `node tools/samples/make.mjs`. Seeded, so a second run changes nothing.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeInstructions } from './instructions.mjs'
import { makeProducts } from './products.mjs'
import { makeSupport } from './support.mjs'

/** File name -> its whole text. */
export const SAMPLES = {
  'support.csv': makeSupport,
  'instructions.csv': makeInstructions,
  'products.csv': makeProducts,
}

if (process.argv[1] === import.meta.filename) {
  const folder = join(import.meta.dirname, '../../public/samples')
  mkdirSync(folder, { recursive: true })
  for (const [name, make] of Object.entries(SAMPLES)) writeFileSync(join(folder, name), make())
}

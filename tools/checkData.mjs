// npm run check:data [-- folder]: the label check of the health report on the whole of banking77, with 5% of the labels
// flipped by three seeds: at least 80% of them must be found, and half of what is named must be flipped. The folder with
// train.csv is by default ../shared/datasets/banking77; not part of npm test, which has a sample (tests/golden/data).
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Papa from 'papaparse'
import { createServer } from 'vite'
import { root } from './install.mjs'

const folder = process.argv[2] ?? join(root, '../shared/datasets/banking77')
const file = join(folder, 'train.csv')
if (!existsSync(file)) {
  console.error(
    `${file} is not there. Give the folder of banking77's train.csv: npm run check:data -- folder`,
  )
  process.exit(2)
}
const rows = Papa.parse(readFileSync(file, 'utf8').trim()).data.slice(1)
const server = await createServer({
  root,
  configFile: false,
  appType: 'custom',
  logLevel: 'error',
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
})
try {
  const { findFlipped } = await server.ssrLoadModule('/tools/data/banking.ts')
  for (const seed of [1, 2, 3]) {
    const started = performance.now()
    const { classes, flipped, named, recall, precision } = await findFlipped(rows, seed)
    const good = recall >= 0.8 && precision >= 0.5
    if (!good) process.exitCode = 1
    console.log(
      `seed ${seed}: ${rows.length} rows, ${classes} classes, ${flipped} flipped, ${named} named, ` +
        `recall ${recall.toFixed(3)}, precision ${precision.toFixed(3)}, ` +
        `${((performance.now() - started) / 1000).toFixed(1)} s${good ? '' : ': too low'}`,
    )
  }
} finally {
  await server.close()
}

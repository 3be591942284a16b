// npm run bench:explain [-- --tokens 64,128,512 --methods lime,shap --limit 60 --backend wasm --parts methods,frames --write --site <folder>]:
// how long each method of graft.explain takes on Graft-7M, and what the attention map of 12 layers x 12 heads at 512 tokens
// costs the main thread while it is hovered and zoomed; in Chromium on the built site. Writes bench/results/explain.json, and
// with --write docs/explain-performance.md.
//
// A method that is not done after --limit seconds is stopped, and its time is estimated from its own progress ("about").
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openSite } from '../tools/browser.mjs'
import { root } from '../tools/install.mjs'
import { measureFrames } from './explainFrames.mjs'
import { prepare, time } from './explainMethods.mjs'

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '64,128,512' },
    methods: { type: 'string' },
    limit: { type: 'string', default: '60' },
    backend: { type: 'string', default: 'auto' },
    parts: { type: 'string', default: 'methods,frames' },
    write: { type: 'boolean', default: false },
    site: { type: 'string' },
  },
})
const LENGTHS = values.tokens.split(',').map(Number)
/** Of the main thread while a map is hovered and zoomed. */
const TARGETS = { frameMs: 16.7, nodes: 2000 }

/** Requests of a row each, beside the text; a method that is not here is asked with the text alone. */
const REQUESTS = {
  saliency: ['gradientNorm', 'gradientXInput', 'smoothGrad', 'integratedGradients'].map((method) => ({
    method,
  })),
  shap: ['partition', 'kernel', 'permutation'].map((method) => ({ method })),
  faithfulness: [{ scores: 'one a token' }],
  similarity: [{ dataset: true, rows: 24 }],
  probe: [{ dataset: true, rows: 24 }],
  stability: [{ method: 'smoothGrad' }, { method: 'lime' }],
  rules: [{ dataset: true, rows: 24 }],
  importance: [{ dataset: true, rows: 24 }],
  mistakes: [{ dataset: true, rows: 24, split: 'train' }],
  influence: [{ rows: 24 }],
  cartography: [{ ofRun: true, epochs: 3 }],
  film: [{ from: 'checkpoints' }, { over: 'strength' }],
}

const site = values.site ?? join(root, '.cache/bench-site')
if (!values.site)
  execFileSync('node_modules/.bin/vite', ['build', '--outDir', site, '--emptyOutDir', '--logLevel', 'warn'], {
    cwd: root,
    stdio: 'inherit',
  })
/** Work of others when the measuring begins. */
const load = loadavg()[0]
const opened = await openSite({ gpu: values.backend !== 'wasm', site })
opened.context.setDefaultTimeout(1_800_000)
const results = { made: new Date().toISOString().slice(0, 10), targets: TARGETS, methods: [], frames: null }
try {
  const { page } = opened
  results.device = await page.evaluate(async (backend) => {
    if (backend !== 'auto') await window.graft.engine.use(backend)
    const { backend: used, adapter } = await window.graft.engine.info()
    const version = /Chrome\/(\d+)/.exec(navigator.userAgent)?.[1]
    return { backend: used, adapter, chromium: version }
  }, values.backend)
  results.device.load = load
  results.device.software =
    results.device.backend === 'webgpu' &&
    /swiftshader|llvmpipe|lavapipe/i.test(JSON.stringify(results.device.adapter))
  console.log(deviceOf(results.device))
  const parts = values.parts.split(',')
  if (parts.includes('methods')) {
    const known = await page.evaluate(() => Object.keys(window.graft.explain))
    const asked = values.methods?.split(',') ?? known
    for (const tokens of LENGTHS) {
      const ready = await prepare(
        page,
        tokens,
        readFileSync(join(root, 'public/samples/support.csv'), 'utf8'),
      )
      for (const method of known.filter((name) => asked.includes(name)))
        for (const request of REQUESTS[method] ?? [{}]) {
          const row = {
            method,
            request,
            tokens,
            ...(await time(page, ready, method, request, Number(values.limit))),
          }
          results.methods.push(row)
          console.log(`${nameOf(row)} at ${tokens}: ${timeOf(row)}`)
        }
    }
  }
  if (parts.includes('frames')) {
    results.frames = await measureFrames(opened)
    console.log(results.frames)
  }
} finally {
  await opened.close()
}
mkdirSync(join(root, 'bench/results'), { recursive: true })
writeFileSync(join(root, 'bench/results/explain.json'), `${JSON.stringify(results, null, 2)}\n`)
const rows = [...new Set(results.methods.map(nameOf))].map((name) => [
  name,
  ...LENGTHS.map((length) =>
    timeOf(results.methods.find((row) => nameOf(row) === name && row.tokens === length)),
  ),
])
console.table(rows)
if (values.write) writePage()

function nameOf({ method, request }) {
  const { method: kind, from, over } = request
  return [method, kind ?? from ?? over].filter(Boolean).join(' ')
}

function timeOf(row) {
  if (!row) return ''
  if (row.error) return row.error
  const seconds = row.seconds < 10 ? row.seconds.toFixed(2) : row.seconds.toFixed(0)
  return row.share === undefined ? `${seconds} s` : `about ${seconds} s`
}

function deviceOf({ backend, adapter, chromium, software, load: busy }) {
  const name =
    typeof adapter === 'string'
      ? adapter
      : [adapter?.vendor, adapter?.architecture, adapter?.description].filter(Boolean).join(' ')
  return `${backend}${name ? ` on ${name}` : ''}${software ? ', which is software: no measure of speed' : ''}; ${cpus().length} x ${cpus()[0].model.trim()}${busy > 1 ? `, busy with other work (load ${busy.toFixed(0)}): times are upper bounds` : ''}, Chromium ${chromium}`
}

function frameLines({ model, hover, zoom, nodes }) {
  const line = (name, { frames, wall, cpu }) =>
    `| ${name} | ${frames} | ${wall.p50.toFixed(1)} | ${wall.p95.toFixed(1)} | ${cpu.p50.toFixed(1)} | ${cpu.p95.toFixed(1)} |`
  const worst = Math.max(hover.wall.p95, zoom.wall.p95)
  return `## The attention map while it is used

${model.layers} layers x ${model.heads} heads x ${model.tokens} x ${model.tokens} of a model with random weights, read and drawn as any other. Work of the page's main thread for a frame, in ms (target at most ${TARGETS.frameMs} at p95; ${worst <= TARGETS.frameMs ? 'held' : `missed: ${worst.toFixed(1)}`}). ${nodes} DOM nodes (target below ${TARGETS.nodes}).

| | frames | p50 | p95 | p50 of its processor time | p95 |
| --- | ---: | ---: | ---: | ---: | ---: |
${line('hovering', hover)}
${line('zooming and panning', zoom)}

Chromium's trace: all tasks of the renderer's main thread from one handing over of a frame to the next. The time contains waiting for a core where the machine is busy; the processor time does not.
`
}

function writePage() {
  const head = ['method', ...LENGTHS.map((length) => `${length} tokens`)]
  const row = (cells) => `| ${cells.join(' | ')} |`
  writeFileSync(
    join(root, 'docs/explain-performance.md'),
    `# Performance of the explanations

Made by \`npm run bench:explain -- --write\` on ${results.made}. Device: ${deviceOf(results.device)}.

## Time of each method

Graft-7M with a classifier of a few steps beside it, one text, every setting at its default unless it is named; methods over a dataset read 24 rows of that length. "About": stopped after ${values.limit} s, estimated from the method's own progress.

${[row(head), row(head.map((_, i) => (i ? '---:' : '---'))), ...rows.map(row)].join('\n')}

${results.frames ? frameLines(results.frames) : ''}`,
  )
}

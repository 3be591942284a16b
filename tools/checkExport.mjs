// npm run check:export [-- python] [--core]: trains tiny models, exports adapters and merged models, and lets peft and
// transformers load them and compare logits (tools/golden/check_export.py). First every family and every kind of training
// through the engine's own functions in Node; then, unless --core is given, some of them through the built site as a person
// would. Needs a Python with tools/golden/requirements.txt; not part of npm test.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer } from 'vite'
import { openSite } from './browser.mjs'
import { ensureBuilt } from './build.mjs'
import { root } from './install.mjs'

const words = process.argv.slice(2)
const core = words.includes('--core')
const python = words.find((word) => !word.startsWith('--')) ?? process.env.PYTHON ?? 'python3'
const output = join(root, 'tests/output/export')

/** Folder of a tiny base model. */
const baseFolder = (name) =>
  join(root, 'tests/golden', name === 'tiny-llama' || name === 'tiny-llama-odd' ? name : `models/${name}`)

rmSync(output, { recursive: true, force: true })
mkdirSync(output, { recursive: true })
await coreCases()
if (!core) await siteCases()
const check = spawnSync(python, [join(root, 'tools/golden/check_export.py'), output], { stdio: 'inherit' })
process.exitCode = check.status === 0 ? 0 : 1

/** Vite reads the engine's TypeScript and the goldens for Node. */
async function coreCases() {
  const server = await createServer({
    root,
    configFile: false,
    appType: 'custom',
    logLevel: 'error',
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
  })
  try {
    const { writeCases } = await server.ssrLoadModule('/tools/export/cases.ts')
    const count = await writeCases(join(output), baseFolder)
    console.log(`${count} exports of the engine's functions, each read back and compared.`)
  } finally {
    await server.close()
  }
}

/** Imports files, trains, asks and exports in the page. */
async function siteCases() {
  const rows = Array.from(
    { length: 12 },
    (_, i) => `${i % 2 ? 'Good day' : 'Bad night'} number ${i},${i % 2 ? 'good' : 'bad'}`,
  )
  const classify = { task: 'classify', columns: { text: 'text', label: 'label' } }
  const complete = { task: 'complete', columns: { prompt: 'text', completion: 'label' } }
  const cases = [
    { model: 'tiny-llama', ...classify, adapter: {} },
    { model: 'tiny-llama-odd', ...complete, adapter: { targets: ['q_proj', 'v_proj', 'down_proj'] } },
    { model: 'tiny-gpt2', ...complete, adapter: { useDora: true } },
    { model: 'tiny-qwen2', ...complete, adapter: { initLoraWeights: 'pissa', useRslora: true } },
    { model: 'tiny-bert', ...classify, adapter: {} },
    { model: 'tiny-gemma3', ...complete, adapter: { method: 'full' } },
  ]
  ensureBuilt()
  const site = await openSite({ gpu: false })
  try {
    for (const each of cases) {
      const base = baseFolder(each.model)
      const files = readdirSync(base).map((file) => ({
        file,
        base64: readFileSync(join(base, file)).toString('base64'),
      }))
      const csv = ['text,label', ...rows].join('\n')
      const result = await site.page.evaluate(trainAndExport, { ...each, files, csv })
      const title = `site-${each.model}-${each.task}`
      const task = each.task === 'classify' ? 'classify' : 'causal'
      const { ids, logits, labels } = result
      const expected = { task, ids, logits, ...(labels && { labels }) }
      if (result.adapter)
        writeCase(`${title}-adapter`, { kind: 'adapter', base, ...expected }, result.adapter)
      writeCase(`${title}-merged`, { kind: 'merged', dtype: 'f32', ...expected }, result.merged)
    }
  } finally {
    await site.close()
  }
}

function writeCase(title, entry, zip) {
  const folder = join(output, title)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'export.zip'), Uint8Array.from(zip))
  writeFileSync(join(folder, 'case.json'), JSON.stringify({ ...entry, file: 'export.zip' }))
}

/** Runs in the page. */
async function trainAndExport({ files, csv, task, columns, adapter }) {
  const { graft } = window
  const model = await graft.models.load(
    {
      files: files.map(
        ({ file, base64 }) => new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], file),
      ),
    },
    { precision: 'f32' },
  )
  const dataset = await graft.datasets.import(new File([csv], 'rows.csv'))
  await graft.datasets.configure(dataset.id, { task, columns })
  const run = await graft.runs.start({
    dataset: dataset.id,
    model: model.id,
    adapter: { r: 4, alpha: 12, ...adapter },
    training: { steps: 10, batchSize: 4, learningRate: 1e-2, maxLength: 24 },
  })
  const ended = await graft.runs.wait(run)
  if (ended.status !== 'done') throw new Error(ended.error?.message ?? ended.status)
  const ids = [
    [5, 9, 30, 42],
    [17, 60, 8, 8, 61, 33, 20],
  ]
  const logits = []
  for (const sequence of ids) {
    const { shape, logits: all } = await graft.logits({ run }, { ids: sequence })
    logits.push(...all.slice((shape[0] - 1) * shape[1]))
  }
  const bytes = async (blob) => Array.from(new Uint8Array(await blob.arrayBuffer()))
  const plain = (adapter.method ?? 'lora') === 'lora'
  return {
    ids,
    logits,
    labels: ended.labels,
    adapter: plain ? await bytes(await graft.export.adapter(run)) : null,
    merged: await bytes(await graft.export.merged(run, { dtype: 'f32' })),
  }
}

// npm run check:export [-- python]: trains adapters in the built site, exports them, and lets peft load them and compare
// logits (tools/golden/check_export.py). Needs a Python with tools/golden/requirements.txt; not part of npm test.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSite } from './browser.mjs'
import { ensureBuilt } from './build.mjs'
import { root } from './install.mjs'

const python = process.argv[2] ?? process.env.PYTHON ?? 'python3'
const output = join(root, 'tests/output/export')
mkdirSync(output, { recursive: true })

const rows = Array.from(
  { length: 12 },
  (_, i) => `${i % 2 ? 'Good day' : 'Bad night'} number ${i},${i % 2 ? 'good' : 'bad'}`,
)
const CASES = [
  { task: 'classify', columns: { text: 'text', label: 'label' }, targets: 'all-linear' },
  {
    task: 'complete',
    columns: { prompt: 'text', completion: 'label' },
    targets: ['q_proj', 'v_proj', 'down_proj'],
  },
]

ensureBuilt()
const site = await openSite({ gpu: false })
let failed = false
for (const name of ['tiny-llama', 'tiny-llama-odd']) {
  const base = join(root, 'tests/golden', name)
  const files = readdirSync(base).map((file) => ({
    file,
    base64: readFileSync(join(base, file)).toString('base64'),
  }))
  for (const { task, columns, targets } of CASES) {
    const result = await site.page.evaluate(
      async ({ files, csv, task, columns, targets }) => {
        const { graft } = window
        const model = await graft.models.load({
          files: files.map(
            ({ file, base64 }) => new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], file),
          ),
        })
        const dataset = await graft.datasets.import(new File([csv], 'rows.csv'))
        await graft.datasets.configure(dataset.id, { task, columns })
        const run = await graft.runs.start({
          dataset: dataset.id,
          model: model.id,
          adapter: { r: 4, alpha: 12, targets },
          training: { steps: 10, batchSize: 4, learningRate: 2e-2, maxLength: 48 },
        })
        const ended = await graft.runs.wait(run)
        if (ended.status !== 'done') throw new Error(ended.error?.message ?? ended.status)
        const ids = [
          [5, 9, 30, 42],
          [17, 60, 8, 8, 71, 33, 20],
        ]
        const logits = []
        for (const sequence of ids) {
          const { shape, logits: all } = await graft.logits({ run }, { ids: sequence })
          logits.push(...all.slice((shape[0] - 1) * shape[1]))
        }
        const zip = await graft.export.adapter(run)
        return { ids, logits, labels: ended.labels, zip: Array.from(new Uint8Array(await zip.arrayBuffer())) }
      },
      { files, csv: ['text,label', ...rows].join('\n'), task, columns, targets },
    )
    const { zip, ...expected } = result
    const path = join(output, `${name}-${task}`)
    writeFileSync(`${path}.zip`, Uint8Array.from(zip))
    writeFileSync(`${path}.json`, JSON.stringify(expected))
    console.log(`== ${name}, ${task}`)
    const check = spawnSync(
      python,
      [join(root, 'tools/golden/check_export.py'), `${path}.zip`, base, `${path}.json`],
      { stdio: 'inherit' },
    )
    if (check.status !== 0) failed = true
  }
}
await site.close()
console.log(failed ? 'Some exports do not agree with peft.' : 'All exports load into peft with equal logits.')
process.exitCode = failed ? 1 : 0

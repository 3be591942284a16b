// npm run results: trains Graft-7M in the built site on the support sample and on banking77, and writes docs/results.md.
// Everything goes through window.graft in a real Chromium without a GPU (the WASM backend), so the figures are those of
// the product on this machine. About half an hour on two cores. banking77 is read from ../shared/datasets where it is.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import Papa from 'papaparse'
import { openSite } from './browser.mjs'
import { ensureBuilt } from './build.mjs'
import { root } from './install.mjs'
import { randomBase } from './randomBase.mjs'

const BASE = join(root, 'public/models/graft-7m')
const BANKING = join(root, '../shared/datasets/banking77')
const ADAPTER = { method: 'lora', r: 8, alpha: 16, dropout: 0, targets: 'all-linear' }
const TRAINING = {
  batchSize: 16,
  learningRate: 2e-3,
  schedule: 'linear',
  warmup: 0,
  seed: 42,
  validateEvery: 1_000_000,
  checkpointEvery: 1_000_000,
}

/** @typedef {{ text: string, label: string }} Row */

/** @param {string} path @param {string} text @param {string} label @returns {Row[]} */
function readRows(path, text, label) {
  const { data } = Papa.parse(readFileSync(path, 'utf8').trim(), { header: true })
  return /** @type {Record<string, string>[]} */ (data).map((row) => ({ text: row[text], label: row[label] }))
}

/** The first `intents` labels in the order of their first row, the first `rows` rows of each. */
function bankingTask(intents, rows, steps) {
  const train = readRows(join(BANKING, 'train.csv'), 'text', 'category')
  const labels = [...new Set(train.map((row) => row.label))].slice(0, intents)
  return {
    name: `banking77, first ${intents} intents`,
    train: labels.flatMap((label) => train.filter((row) => row.label === label).slice(0, rows)),
    test: readRows(join(BANKING, 'test.csv'), 'text', 'category').filter((row) => labels.includes(row.label)),
    training: { ...TRAINING, steps, maxLength: 48 },
    variants: ['lora', 'head', 'random'],
  }
}

/** @param {Row[]} rows */
function majority({ train, test }) {
  const counts = new Map()
  for (const { label } of train) counts.set(label, (counts.get(label) ?? 0) + 1)
  const [frequent] = [...counts].sort((a, b) => b[1] - a[1])[0]
  return test.filter(({ label }) => label === frequent).length / test.length
}

/** The product's own stratified split of the support sample, 80 / 10 / 10 with seed 42; test and validation are tested. */
async function supportTask(page) {
  const csv = readFileSync(join(root, 'public/samples/support.csv'), 'utf8')
  const rows = await page.evaluate(async (content) => {
    const dataset = await window.graft.datasets.import(new File([content], 'support.csv'))
    const all = await window.graft.datasets.rows(dataset.id, { offset: 0, limit: dataset.rows })
    await window.graft.datasets.remove(dataset.id)
    return all.map(({ split, cells }) => ({ split, text: cells.text, label: cells.intent }))
  }, csv)
  return {
    name: 'support sample, 6 intents',
    train: rows.filter(({ split }) => split === 'train'),
    test: rows.filter(({ split }) => split !== 'train'),
    training: { ...TRAINING, epochs: 4, maxLength: 96 },
    variants: ['lora', 'head', 'random'],
  }
}

async function measure(page, task, variant, models) {
  const csv = Papa.unparse(task.train.map(({ text, label }) => ({ text, label })))
  const result = await page.evaluate(
    async ({ csv, training, adapter, model, texts }) => {
      const { graft } = window
      const dataset = await graft.datasets.import(new File([csv], 'train.csv'))
      await graft.datasets.configure(dataset.id, {
        task: 'classify',
        columns: { text: 'text', label: 'label' },
      })
      await graft.datasets.split(dataset.id, { train: 1, validation: 0, test: 0, seed: 42 })
      const id = await graft.runs.start({ dataset: dataset.id, model, adapter, training })
      const run = await graft.runs.wait(id)
      if (run.status !== 'done') throw new Error(`${run.status}: ${run.error?.message}`)
      const predictions = await graft.predict({ run: id }, texts)
      await graft.runs.remove(id)
      await graft.datasets.remove(dataset.id)
      const speeds = run.history.map((entry) => entry.tokensPerSecond).sort((a, b) => a - b)
      return {
        seconds: run.seconds,
        steps: run.steps,
        tokensPerSecond: speeds[Math.floor(speeds.length / 2)],
        loss: run.history.at(-1).loss,
        labels: predictions.map((p) => p.label),
      }
    },
    {
      csv,
      training: task.training,
      adapter: variant === 'head' ? { method: 'head' } : ADAPTER,
      model: variant === 'random' ? models.random : models.base,
      texts: task.test.map(({ text }) => text),
    },
  )
  const right = result.labels.filter((label, i) => label === task.test[i].label)
  const confused = new Map()
  result.labels.forEach((label, i) => {
    if (label !== task.test[i].label)
      confused.set(
        `${task.test[i].label} taken for ${label}`,
        (confused.get(`${task.test[i].label} taken for ${label}`) ?? 0) + 1,
      )
  })
  return {
    ...result,
    accuracy: right.length / task.test.length,
    confused: [...confused].sort((a, b) => b[1] - a[1]).slice(0, 3),
  }
}

const percent = (share) => `${(100 * share).toFixed(1)}%`
const TITLES = { lora: 'Graft-7M + LoRA', head: 'Graft-7M, head only', random: 'random base + LoRA' }

ensureBuilt()
const site = await openSite({ gpu: false })
const { page } = site
page.setDefaultTimeout(0)
const info = await page.evaluate(() => window.graft.engine.info())
const models = {
  base: (await page.evaluate(() => window.graft.models.load({ builtin: 'graft-7m' }))).id,
  random: (
    await page.evaluate(
      (files) =>
        window.graft.models.load({
          files: files.map(
            ({ name, base64 }) => new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name),
          ),
        }),
      randomBase(BASE, 1),
    )
  ).id,
}

const tasks = [await supportTask(page)]
if (existsSync(BANKING)) tasks.push(bankingTask(6, 80, 120), bankingTask(20, 100, 400))
else console.log('banking77 is not here; only the support sample is measured.')

const lines = []
const remarks = []
for (const task of tasks) {
  lines.push(
    `| ${task.name} | majority label | ${task.train.length} / ${task.test.length} | | ${percent(majority(task))} | | |`,
  )
  for (const variant of task.variants) {
    const result = await measure(page, task, variant, models)
    const line = `| ${task.name} | ${TITLES[variant]} | ${task.train.length} / ${task.test.length} | ${result.steps} | **${percent(result.accuracy)}** | ${(result.seconds / 60).toFixed(1)} | ${Math.round(result.tokensPerSecond)} |`
    console.log(line)
    lines.push(line)
    if (variant === 'lora' && result.confused.length > 0)
      remarks.push(
        `- ${task.name}: last training loss ${result.loss.toFixed(3)}; most confused: ${result.confused.map(([pair, n]) => `${pair} (${n})`).join(', ')}.`,
      )
  }
}
await site.close()

const date = new Date().toISOString().slice(0, 10)
writeFileSync(
  join(root, 'docs/results.md'),
  `# Results

Made by \`npm run results\` on ${date}: the built site in headless Chromium, backend ${info.backend} (${info.adapter}), ${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown CPU'}. Accuracy on held-out rows that no run has seen.

Settings: LoRA r 8, alpha 16, all linear layers, \`score\` head; AdamW, learning rate 2e-3, linear to zero, batch 16, clip 1; 48 tokens (support: 96). "Head only" trains nothing but the head with the same settings. "Random base" has the architecture and tokenizer of Graft-7M and random weights.

| data | model | train / test rows | steps | test accuracy | minutes | tokens/s |
|---|---|---|---|---|---|---|
${lines.join('\n')}

PyTorch in float32 on the same rows with the same base and settings (\`tools/golden/orientation.py\`, seed 0): first 6 intents 96.2% (head only 66.2%, random base 88.8%), first 20 intents 90.8% (head only 51.1%, random base 87.6%).

## Where it is poor
${remarks.join('\n')}
- The support sample is the hardest for so small a base: much of every message is about something else. A bag of words does better there than Graft-7M with 480 rows: logistic regression reaches 89.3% on word counts and 93.2% on tuned TF-IDF of words and pairs (\`tools/golden/bag_of_words.py\`, five-fold). A larger base or more rows would be needed to pass it.
- Head only is weak everywhere: the last token of a 7 M model says little about the whole text until LoRA bends it.
`,
)
console.log('Written: docs/results.md')

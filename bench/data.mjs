// npm run bench:data [-- --mb 500 --goes 3 --parts profile,search --write --site <folder>]: the data tools on a table of a million rows,
// in Chromium on the built site. The table is made on the spot, in the browser; beside the import stands PapaParse on its own, in
// a worker of its own page of the same browser, reading the same file and keeping nothing. Writes bench/results/data.json, and with --write docs/data-performance.md.
//
// PapaParse and the import take turns, the fastest go counts; `--parts import` measures nothing else. Every other tool is a part of PARTS, a call of window.graft on the
// dataset of the last import, and is measured once.
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openSite } from '../tools/browser.mjs'
import { root } from '../tools/install.mjs'
import { serve } from '../tools/serve.mjs'

const { values } = parseArgs({
  options: {
    mb: { type: 'string', default: '500' },
    goes: { type: 'string', default: '3' },
    parts: { type: 'string' },
    write: { type: 'boolean', default: false },
    site: { type: 'string' },
  },
})
const MEGABYTES = Number(values.mb)
/** Bytes of a row, about: 500 MB are somewhat more than a million rows. */
const ROW_BYTES = 456
const ROWS = Math.round((MEGABYTES * 1e6) / ROW_BYTES)
/** Targets of the data tools. */
const TARGETS = { speedBesidePapa: 0.7, longestTaskMs: 50 }

/** Makes the table as a File, in the page. Runs in the browser: it uses nothing from here. @param {number} rows */
function makeTable(rows) {
  const words =
    'order parcel late refund card account please where when still waiting since Monday again price city blue small delivery customer number thanks changed address'.split(
      ' ',
    )
  const labels = Array.from({ length: 20 }, (_, i) => `intent ${i}`)
  let state = 42
  const next = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 4294967296) * n)
  }
  const sentences = Array.from({ length: 997 }, () =>
    Array.from({ length: 30 + next(40) }, () => words[next(words.length)]).join(' '),
  )
  const parts = []
  let text = 'id,text,comment,label,amount,day\n'
  for (let row = 0; row < rows; row++) {
    const text1 = `${sentences[next(997)]} ${row}`
    const text2 = sentences[next(997)].slice(0, 60)
    const cell = row % 3 === 0 ? `"${text1}, said ""${text2}"""` : text1
    text += `${row},${cell},${text2},${labels[next(20)]},${next(100000) / 100},2024-0${1 + next(9)}-1${next(9)}\n`
    if (text.length > 4e6) {
      parts.push(new Blob([text]))
      text = ''
    }
  }
  parts.push(new Blob([text]))
  return new File(parts, 'bench.csv')
}

/** Bytes resident in all processes of the browser. @param {string} profile */
function residentBytes(profile) {
  let pages = 0
  for (const id of readdirSync('/proc')) {
    if (!/^\d+$/.test(id)) continue
    try {
      if (!readFileSync(`/proc/${id}/cmdline`, 'utf8').includes(profile)) continue
      // Each renderer is a child of the process that names the profile.
      pages += Number(readFileSync(`/proc/${id}/statm`, 'utf8').split(' ')[1])
    } catch {
      // It has ended meanwhile.
    }
  }
  return pages * 4096
}

/** Waits until what came before, such as another page's file, has been given back. */
async function settled(profile) {
  let steady = 0
  let before = residentBytes(profile)
  for (let look = 0; look < 40 && steady < 5; look++) {
    await new Promise((done) => setTimeout(done, 500))
    const now = residentBytes(profile)
    steady = Math.abs(now - before) < 4e6 ? steady + 1 : 0
    before = now
  }
}

/** The largest resident memory while `work` runs, above the smallest: some of what came before it is given back only then. */
async function withMemory(profile, work) {
  await settled(profile)
  let least = residentBytes(profile)
  let peak = least
  const timer = setInterval(() => {
    const now = residentBytes(profile)
    least = Math.min(least, now)
    peak = Math.max(peak, now)
  }, 100)
  try {
    return { value: await work(), extraBytes: () => peak - least }
  } finally {
    clearInterval(timer)
  }
}

/** PapaParse alone: the whole file, rows counted and let go. */
async function papa(context, profile) {
  const folder = mkdtempSync(join(tmpdir(), 'graft-papa-'))
  copyFileSync(join(root, 'node_modules/papaparse/papaparse.min.js'), join(folder, 'papaparse.js'))
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>PapaParse</title>')
  writeFileSync(join(folder, 'headers'), '')
  writeFileSync(
    join(folder, 'worker.js'),
    `importScripts('papaparse.js')
onmessage = ({ data }) => {
  const start = performance.now()
  let rows = 0
  Papa.parse(data, {
    delimiter: ',',
    chunk: ({ data }) => { rows += data.length },
    complete: () => postMessage({ rows, seconds: (performance.now() - start) / 1000 }),
  })
}`,
  )
  const server = await serve({ root: folder, port: 0, headersFile: join(folder, 'headers') })
  const page = await context.newPage()
  try {
    await page.goto(server.url)
    await page.evaluate(`globalThis.file = (${makeTable})(${ROWS})`)
    const { value, extraBytes } = await withMemory(profile, () =>
      page.evaluate(
        () =>
          new Promise((resolve, reject) => {
            const worker = new Worker('worker.js')
            worker.onmessage = ({ data }) => resolve({ ...data, bytes: globalThis.file.size })
            worker.onerror = ({ message }) => reject(new Error(message))
            worker.postMessage(globalThis.file)
          }),
      ),
    )
    return { ...value, extraBytes: extraBytes() }
  } finally {
    await page.close()
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Runs a part in the page and watches its main thread: the longest task that the browser reports (above 50 ms), and the longest
 * time in which a timer had no turn.
 */
async function watched({ page, profile }, part, argument) {
  const { value, extraBytes } = await withMemory(profile, () =>
    page.evaluate(
      async ([part, argument]) => {
        let longest = 0
        const observer = new PerformanceObserver((list) => {
          for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
        })
        observer.observe({ type: 'longtask' })
        let gap = 0
        let last = performance.now()
        const timer = setInterval(() => {
          const now = performance.now()
          gap = Math.max(gap, now - last)
          last = now
        }, 4)
        let reports = 0
        const start = performance.now()
        const result = await globalThis.parts[part](argument, { onProgress: () => reports++ })
        const seconds = (performance.now() - start) / 1000
        await new Promise((done) => setTimeout(done, 100))
        for (const { duration } of observer.takeRecords()) longest = Math.max(longest, duration)
        observer.disconnect()
        clearInterval(timer)
        return { ...result, seconds, reports, longestTaskMs: longest, longestGapMs: gap }
      },
      [part, argument],
    ),
  )
  return { ...value, extraBytes: extraBytes() }
}

/** Everything that is measured of Graft, by name: functions of the page. `id` is the dataset's. */
const PARTS = {
  import: async (_, call) => {
    const dataset = await window.graft.datasets.import(globalThis.file, call)
    const paging = performance.now()
    const [row] = await window.graft.datasets.rows(dataset.id, { offset: dataset.rows - 1, limit: 1 })
    return {
      id: dataset.id,
      rows: dataset.rows,
      bytes: dataset.bytes,
      problems: dataset.problemCount,
      last: row.cells.id,
      lastRowMs: performance.now() - paging,
    }
  },
  profile: async (id, call) => ({
    columns: (await window.graft.datasets.profile(id, call)).columns.length,
  }),
  'search, first (makes the index)': (id, call) => globalThis.found(id, { query: 'refund' }, call),
  'search, one word': (id, call) => globalThis.found(id, { query: 'parcel' }, call),
  'search, a phrase and not a word': (id, call) =>
    globalThis.found(id, { query: '"still waiting" -monday' }, call),
  'sort by a text': (id, call) => globalThis.found(id, { sort: { column: 'text' } }, call),
  'sort by a number': (id, call) => globalThis.found(id, { sort: { column: 'amount' } }, call),
  'filter by a category': (id, call) =>
    globalThis.found(id, { filter: { column: 'label', is: 'oneOf', values: ['intent 7'] } }, call),
  'filter by an expression': (id, call) =>
    globalThis.found(id, { filter: 'number(amount) > 500 and label = "intent 3"' }, call),
  recipe: async (id, call) => {
    const steps = [
      { kind: 'normalise', columns: ['text'], space: 'collapse', quotes: true },
      { kind: 'dedupeExact', columns: ['comment', 'label', 'day'] },
      { kind: 'redact', columns: ['text'] },
    ]
    return { found: (await window.graft.datasets.apply(id, steps, call)).rows }
  },
  'recipe undone': async (id, call) => ({ found: (await window.graft.datasets.undo(id, call)).rows }),
  health: async (id, call) => ({
    found: (await window.graft.datasets.health(id, undefined, call)).findings.length,
  }),
}
/** Hands the parts to the page. */
const PARTS_SCRIPT = `
globalThis.parts = { ${Object.entries(PARTS).map(([name, part]) => `${JSON.stringify(name)}: ${part}`)} }
globalThis.found = async (id, view, call) => ({
  found: (await window.graft.datasets.search(id, { ...view, offset: 0, limit: 100 }, call)).total,
})`

const site = values.site ?? join(root, '.cache/bench-site')
if (!values.site)
  execFileSync('node_modules/.bin/vite', ['build', '--outDir', site, '--emptyOutDir', '--logLevel', 'warn'], {
    cwd: root,
    stdio: 'inherit',
  })
const opened = await openSite({ gpu: false, site })
opened.context.setDefaultTimeout(1_800_000)
const version = await opened.page.evaluate(() => /Chrome\/(\d+)/.exec(navigator.userAgent)?.[1])
const results = { rows: ROWS, targets: TARGETS }
/** The fastest of several goes: what else a machine does only ever adds time. */
const best = (goes) => ({
  ...goes.reduce((a, b) => (b.seconds < a.seconds ? b : a)),
  extraBytes: Math.max(...goes.map(({ extraBytes }) => extraBytes)),
  ...(goes[0].longestTaskMs !== undefined && {
    longestTaskMs: Math.max(...goes.map(({ longestTaskMs }) => longestTaskMs)),
    longestGapMs: Math.max(...goes.map(({ longestGapMs }) => longestGapMs)),
  }),
})
try {
  const goes = { papa: [], import: [] }
  await opened.page.evaluate(`${PARTS_SCRIPT}; globalThis.file = (${makeTable})(${ROWS}); 0`)
  for (let go = 0; go < Number(values.goes); go++) {
    // Each go finds the disk as the first one did.
    await opened.page.evaluate(async () => {
      for (const { id } of await window.graft.datasets.list()) await window.graft.datasets.remove(id)
    })
    goes.papa.push(await papa(opened.context, opened.profile))
    goes.import.push(await watched(opened, 'import'))
  }
  results.papa = best(goes.papa)
  results.import = best(goes.import)
  const { id, bytes } = goes.import.at(-1)
  for (const name of Object.keys(PARTS)) {
    if (name === 'import' || (values.parts && !values.parts.split(',').some((part) => name.startsWith(part))))
      continue
    results[name] = { bytes, ...(await watched(opened, name, id)) }
    console.log(`${name}: ${results[name].seconds.toFixed(1)} s`)
  }
} finally {
  await opened.close()
}
const speed = ({ bytes, seconds }) => bytes / 1e6 / seconds
results.share = speed(results.import) / speed(results.papa)
mkdirSync(join(root, 'bench/results'), { recursive: true })
writeFileSync(join(root, 'bench/results/data.json'), `${JSON.stringify(results, null, 2)}\n`)

const line = (name, { bytes, seconds, extraBytes, longestTaskMs, longestGapMs }) => ({
  part: name,
  'MB/s': Number(speed({ bytes, seconds }).toFixed(1)),
  seconds: Number(seconds.toFixed(seconds < 10 ? 2 : 1)),
  'extra MB at most': Math.round(extraBytes / 1e6),
  'longest task, ms':
    longestTaskMs === undefined ? '' : longestTaskMs === 0 ? '< 50' : Math.round(longestTaskMs),
  'longest gap, ms': longestGapMs === undefined ? '' : Math.round(longestGapMs),
})
const longest = Math.max(...Object.keys(PARTS).map((name) => results[name]?.longestTaskMs ?? 0))
const lines = [
  line('PapaParse alone', results.papa),
  ...Object.keys(PARTS)
    .filter((name) => results[name])
    .map((name) => line(name, results[name])),
]
console.table(lines)
const summary = `${ROWS.toLocaleString('en')} rows, ${(results.import.bytes / 1e6).toFixed(0)} MB. Import beside PapaParse: ${results.share.toFixed(2)} (target at least ${TARGETS.speedBesidePapa}). Longest task of the page: ${longest === 0 ? 'none above 50' : Math.round(longest)} ms (target at most ${TARGETS.longestTaskMs}).`
console.log(summary)
if (values.write) writePage()
if (results.import.rows !== ROWS || results.import.last !== String(ROWS - 1))
  throw new Error(`The import gave ${results.import.rows} rows, not ${ROWS}.`)

function writePage() {
  const names = Object.keys(lines[0])
  const row = (cells) => `| ${cells.join(' | ')} |`
  const { model } = cpus()[0]
  writeFileSync(
    join(root, 'docs/data-performance.md'),
    `# Performance of the data tools

Made by \`npm run bench:data -- --write\` on ${new Date().toISOString().slice(0, 10)}; ${cpus().length} x ${model.trim()}, Chromium ${version}, the built site. ${summary}

${[row(names), row(names.map((name) => (name === 'part' ? '---' : '---:'))), ...lines.map((line) => row(Object.values(line)))].join('\n')}

The table is made on the spot: a number, a text of 30 to 70 words (a third of them quoted, with quotes inside), a comment, one of 20 labels, an amount and a day. PapaParse parses the file in a worker and keeps nothing; an import also profiles the columns, hashes the file and stores the rows. MB/s are megabytes of the file. Extra MB: resident memory of all of the browser's processes, its peak above its least during the part. A gap is a time in which a timer of 4 ms had no turn.

What limits the import on two cores is the work of all threads together. Processor time of Chromium's threads on 2026-11-21 for the 500 MB of this table, the machine nearly idle (an import of 2.1 s): the thread that reads 1.3 s, the one that writes the file 1.05 s, nearly all of it in the kernel, which finds new pages for the file, the one that hashes 0.4 s, and the browser's own threads, which hand the file over and compile, 1.0 s: 3.75 s. New pages are dear here because this virtual machine gives memory that is free back to its host: tried in a page of its own, the same 500 MB are written in 1.5 s after a pause, in 0.35 s right after another file was removed, in 0.1 s over an old file; an import right after another took 1.5 to 1.9 s. So all else goes through buffers that are used again, and the file is read by the browser into them (0.16 s in place of 0.35 to 0.7 s in new memory). Of the reading thread (in Node): 0.8 s for cutting, counting and copying a million rows, 0.13 s for their split.

What an import holds does not grow with the file: 71 MB extra for a table of 125 MB, 104 MB for one of 501 MB, 132 MB for one of 1,003 MB (2026-11-21, --mb 125, 500 and 1000).

Runs of PapaParse and the import on 2026-11-21, the fastest of three goes each: 0.85 (2.05 s beside 1.74 s), 0.97 (2.08 s, 2.02 s), 1.07 (2.17 s, 2.31 s), 1.05 (2.09 s, 2.20 s), and 0.93 with a table of 1,003 MB (3.68 s, 3.41 s, one go). A table of 125 MB has 0.63 (0.75 s, 0.47 s): an import begins and ends in 0.2 s, whatever its size.

What bounds the health report's memory is the number of rows, not their length: at most 200 bytes a row are alive, and what else it holds has fixed limits (docs/architecture.md); the rest of its resident memory is what the engine has not yet collected. Its time is one thread's, most of it in the first pass.

`,
  )
}

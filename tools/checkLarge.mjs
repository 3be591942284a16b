// npm run check:large [-- webgpu]: a base with SmolLM2-135M's configuration and random weights goes through the built site
// as a user's would: dropped as files, trained for ten steps at 512 tokens, asked, exported as an adapter. Says how long
// each part took and how much memory it needed at most (what JavaScript holds while weights stream in has a test of its
// own, tests/unit/core/streaming.test.ts). On the WASM backend unless `webgpu` is asked for. Not part of
// npm test: it writes 270 MB under .cache and takes some minutes.
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { openSite } from './browser.mjs'
import { ensureBuilt } from './build.mjs'
import { root } from './install.mjs'

const backend = process.argv[2] ?? 'wasm'
const STEPS = 10
const LENGTH = 512
/** config.json of HuggingFaceTB/SmolLM2-135M, as far as it changes the maths. */
const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  vocab_size: 49152,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100000,
  tie_word_embeddings: true,
  bos_token_id: 0,
  eos_token_id: 0,
  torch_dtype: 'bfloat16',
}

/** Names and shapes of the tensors of a Llama. @returns {[string, number[]][]} */
function tensors() {
  const { hidden_size: d, intermediate_size: f, num_hidden_layers: layers, vocab_size: vocab } = CONFIG
  const keys = (d / CONFIG.num_attention_heads) * CONFIG.num_key_value_heads
  /** @type {[string, number[]][]} */
  const list = [['model.embed_tokens.weight', [vocab, d]]]
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`
    list.push([`${at}.input_layernorm.weight`, [d]], [`${at}.post_attention_layernorm.weight`, [d]])
    list.push([`${at}.self_attn.q_proj.weight`, [d, d]], [`${at}.self_attn.o_proj.weight`, [d, d]])
    for (const name of ['k_proj', 'v_proj']) list.push([`${at}.self_attn.${name}.weight`, [keys, d]])
    for (const name of ['gate_proj', 'up_proj']) list.push([`${at}.mlp.${name}.weight`, [f, d]])
    list.push([`${at}.mlp.down_proj.weight`, [d, f]])
  }
  list.push(['model.norm.weight', [d]])
  return list
}

/** The folder of the base: BF16 weights from N(0, 0.04), norms 1, the embedded base's tokenizer. @param {string} folder */
function writeBase(folder) {
  mkdirSync(folder, { recursive: true })
  const list = tensors()
  const header = {}
  let offset = 0
  for (const [name, shape] of list) {
    const bytes = 2 * shape.reduce((a, b) => a * b, 1)
    header[name] = { dtype: 'BF16', shape, data_offsets: [offset, (offset += bytes)] }
  }
  const json = Buffer.from(JSON.stringify(header))
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(BigInt(json.length))
  const path = join(folder, 'model.safetensors')
  const file = openSync(`${path}.part`, 'w')
  writeSync(file, head)
  writeSync(file, json)
  // One long row of random numbers, read from another place for every tensor: quick, and no two tensors are alike.
  const pool = randomBits(1 << 22)
  let seed = 1
  for (const [, shape] of list) {
    const size = shape.reduce((a, b) => a * b, 1)
    const bits = new Uint16Array(size)
    if (shape.length === 1) bits.fill(0x3f80)
    else {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      const shift = seed % pool.length
      for (let i = 0; i < size; i++) bits[i] = pool[(i * 7 + shift) & (pool.length - 1)]
    }
    writeSync(file, new Uint8Array(bits.buffer))
  }
  closeSync(file)
  const source = join(root, 'public/models/graft-7m')
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    writeFileSync(join(folder, name), readFileSync(join(source, name)))
  writeFileSync(join(folder, 'config.json'), JSON.stringify(CONFIG))
  renameSync(`${path}.part`, path)
}

/** BF16 bits of normal numbers with standard deviation 0.04. @param {number} count a power of two */
function randomBits(count) {
  const values = new Float32Array(count)
  let state = 42
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  for (let i = 0; i < count; i++)
    values[i] = 0.04 * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  const words = new Uint32Array(values.buffer)
  return Uint16Array.from(words, (word) => word >>> 16)
}

/**
 * Most bytes that any renderer of the browser with this profile has had resident, from /proc; null where there is none.
 * @param {string} profile
 */
function peakResident(profile) {
  if (!existsSync('/proc/self/status')) return null
  /** @type {Map<string, { parent: string, command: string, peak: number }>} */
  const processes = new Map()
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      processes.set(pid, {
        parent: /^PPid:\s+(\d+)$/m.exec(status)?.[1] ?? '0',
        command: readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
        peak: 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0),
      })
    } catch {
      // The process has ended meanwhile.
    }
  }
  const ours = (pid) => {
    const found = processes.get(pid)
    return found !== undefined && (found.command.includes(profile) || ours(found.parent))
  }
  const renderers = [...processes].filter(
    ([pid, { command }]) => command.includes('--type=renderer') && ours(pid),
  )
  return Math.max(0, ...renderers.map(([, { peak }]) => peak))
}

const folder = join(root, '.cache/smollm2-135m-random')
if (!existsSync(join(folder, 'model.safetensors'))) writeBase(folder)
ensureBuilt()
const site = await openSite({ gpu: backend === 'webgpu' })
const { page } = site
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`
try {
  await page.evaluate((name) => window.graft.engine.use(name), backend)
  await page.evaluate(() => {
    const input = Object.assign(document.createElement('input'), {
      type: 'file',
      multiple: true,
      id: 'large',
    })
    document.body.append(input)
  })
  await page.setInputFiles(
    '#large',
    readdirSync(folder)
      .filter((name) => !name.endsWith('.part'))
      .map((name) => join(folder, name)),
  )
  const words = Array.from({ length: 600 }, (_, i) => `word${i % 97}`).join(' ')
  const result = await page.evaluate(
    async ({ steps, length, words }) => {
      const { graft } = window
      const times = {}
      const timed = async (name, work) => {
        const begun = performance.now()
        const value = await work()
        times[name] = (performance.now() - begun) / 1000
        return value
      }
      const files = [...document.querySelector('#large').files]
      const model = await timed('load', () => graft.models.load({ files }, { precision: 'f32' }))
      const rows = Array.from({ length: 40 }, (_, i) => `"${i} ${words}"`)
      const dataset = await graft.datasets.import(new File([['text', ...rows].join('\n')], 'long.csv'))
      await graft.datasets.configure(dataset.id, { task: 'complete', columns: { text: 'text' } })
      const request = {
        dataset: dataset.id,
        model: model.id,
        adapter: { method: 'lora', r: 8, alpha: 16 },
        training: { steps, batchSize: 1, maxLength: length, learningRate: 1e-4, validateEvery: 1_000_000 },
      }
      const estimate = await graft.models.estimate({ ...request, task: 'complete', model: model.id })
      const id = await graft.runs.start(request)
      const run = await timed('train', () => graft.runs.wait(id))
      if (run.status !== 'done') throw new Error(run.error?.message ?? run.status)
      const zip = await timed('export', () => graft.export.adapter(id))
      const info = await graft.engine.info()
      return {
        times,
        backend: info.backend,
        adapter: info.adapter,
        memory: info.memory,
        estimate,
        parameters: model.parameters,
        zipBytes: zip.size,
        losses: run.history.map(({ loss }) => loss),
        tokensPerSecond: run.history.at(-1).tokensPerSecond,
      }
    },
    { steps: STEPS, length: LENGTH, words },
  )
  const { times, memory } = result
  console.log(
    `Base: ${(result.parameters / 1e6).toFixed(1)} M weights, BF16 files, on ${result.backend} (${result.adapter}).`,
  )
  console.log(`Loading: ${times.load.toFixed(1)} s.`)
  console.log(
    `${STEPS} steps of ${LENGTH} tokens: ${times.train.toFixed(1)} s, ${result.tokensPerSecond.toFixed(0)} tokens/s; loss ${result.losses[0].toFixed(3)} to ${result.losses.at(-1).toFixed(3)}.`,
  )
  console.log(`Export, checked: ${times.export.toFixed(1)} s, ${mib(result.zipBytes)}.`)
  console.log(
    `Tensors at most ${mib(memory.peakGpuBytes)} (estimated ${mib(result.estimate.bytes)}); page and workers at most ${mib(peakResident(site.profile) ?? 0)} resident.`,
  )
  if (result.losses.length !== STEPS || !result.losses.every(Number.isFinite)) process.exitCode = 1
} finally {
  await site.close()
}

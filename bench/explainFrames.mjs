// What the attention map costs the main thread while it is hovered and zoomed: a model of 12 layers x 12 heads with random
// weights at 512 tokens, through the Explain view as a person uses it, by Chromium's own trace.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../tools/install.mjs'

const LAYERS = 12
const HEADS = 12
const TOKENS = 512
const HEAD_SIZE = 8
const WIDE = HEADS * HEAD_SIZE
const MOVES = 150

/** Hovers and zooms the map; ms of main-thread work a frame, and the number of DOM nodes. */
export async function measureFrames({ page, context }) {
  const folder = join(root, 'tests/golden/tiny-llama')
  const files = ['tokenizer.json', 'tokenizer_config.json'].map((name) => ({
    name,
    text: readFileSync(join(folder, name), 'utf8'),
  }))
  const text = await page.evaluate(loadRandom, { files, LAYERS, HEADS, HEAD_SIZE, WIDE, TOKENS })
  await page.getByRole('navigation').getByRole('link', { name: 'Explain', exact: true }).click()
  const tab = page.getByRole('tab', { name: 'Attention', exact: true })
  if (await tab.count()) await tab.click()
  await page.getByLabel('Text', { exact: true }).fill(text)
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  const drawing = await largestMap(page)
  await drawing.scrollIntoViewIfNeeded()
  const box = await drawing.boundingBox()
  const at = (x, y) => page.mouse.move(box.x + box.width * x, box.y + box.height * y)
  await at(0.5, 0.5)
  await page.waitForTimeout(500)

  const hover = await traced(context, page, async () => {
    for (let i = 0; i < MOVES; i++) {
      const angle = (i / MOVES) * 6 * Math.PI
      await at(0.5 + 0.3 * Math.cos(angle), 0.5 + 0.3 * Math.sin(angle))
    }
  })
  await at(0.5, 0.5)
  const zoom = await traced(context, page, async () => {
    for (let i = 0; i < MOVES / 3; i++) await page.mouse.wheel(0, i < MOVES / 6 ? -120 : 120)
    for (let i = 0; i < 10; i++) await page.mouse.wheel(0, -120)
    await page.mouse.down()
    for (let i = 0; i < MOVES / 3; i++) await at(0.5 + 0.2 * Math.sin(i / 5), 0.5 + 0.2 * Math.cos(i / 5))
    await page.mouse.up()
  })
  const nodes = await page.evaluate(() => document.querySelectorAll('*').length)
  return { model: { layers: LAYERS, heads: HEADS, tokens: TOKENS }, hover, zoom, nodes }
}

/** The map with most cells: what a screen reader calls an image that is read with arrow keys. */
async function largestMap(page) {
  const maps = page.getByRole('img', { name: /[Aa]rrow keys/ })
  await maps.first().waitFor()
  await page.waitForTimeout(1000)
  let largest = { area: 0, map: maps.first() }
  for (const map of await maps.all()) {
    const box = await map.boundingBox()
    const area = box ? box.width * box.height : 0
    if (area > largest.area) largest = { area, map }
  }
  return largest.map
}

/** Work of the renderer's main thread for each frame, while `work` runs. */
async function traced(context, page, work) {
  const session = await context.newCDPSession(page)
  const events = []
  session.on('Tracing.dataCollected', ({ value }) => events.push(...value))
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve))
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: {
      includedCategories: [
        'devtools.timeline',
        'disabled-by-default-devtools.timeline',
        'toplevel',
        '__metadata',
      ],
    },
  })
  await work()
  await page.waitForTimeout(200)
  await session.send('Tracing.end')
  await complete
  await session.detach()
  return perFrame(events)
}

/** @param {any[]} events of a trace */
function perFrame(events) {
  const commits = events.filter(({ name }) => name === 'Commit')
  // The page's own renderer is the one that hands frames over.
  const counts = new Map()
  for (const { pid, tid } of commits) counts.set(`${pid}/${tid}`, (counts.get(`${pid}/${tid}`) ?? 0) + 1)
  const [main] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? []
  const ours = events.filter(({ pid, tid }) => `${pid}/${tid}` === main)
  const ends = ours
    .filter(({ name }) => name === 'Commit')
    .map(({ ts }) => ts)
    .sort((a, b) => a - b)
  const tasks = ours
    .filter(({ name, ph }) => ph === 'X' && /RunTask$/.test(name))
    .sort((a, b) => a.ts - b.ts || b.dur - a.dur)
  const frames = ends.map(() => ({ wall: 0, cpu: 0 }))
  let frame = 0
  let end = 0
  for (const { ts, dur, tdur } of tasks) {
    // Tasks within tasks are counted with the outer one.
    if (ts < end) continue
    end = ts + dur
    if (frame === frames.length) break
    frames[frame].wall += dur / 1000
    frames[frame].cpu += (tdur ?? dur) / 1000
    // The task that hands a frame over is the last of that frame.
    while (frame < ends.length && ends[frame] < end) frame++
  }
  const quantile = (values, q) => values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]
  const of = (part) => {
    const values = frames.map((each) => each[part])
    return { p50: quantile(values, 0.5), p95: quantile(values, 0.95) }
  }
  if (frames.length < 20) throw new Error(`Only ${frames.length} frames were drawn: the map did not react.`)
  return { frames: frames.length, wall: of('wall'), cpu: of('cpu') }
}

/** Loads the model; the text. Runs in the browser: it uses nothing from here. */
async function loadRandom({ files, LAYERS, HEADS, HEAD_SIZE, WIDE, TOKENS }) {
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: WIDE,
    intermediate_size: WIDE,
    num_hidden_layers: LAYERS,
    num_attention_heads: HEADS,
    num_key_value_heads: HEADS,
    head_dim: HEAD_SIZE,
    vocab_size: 320,
    max_position_embeddings: 2 * TOKENS,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    hidden_act: 'silu',
    tie_word_embeddings: true,
    bos_token_id: 0,
    eos_token_id: 0,
    pad_token_id: 3,
    torch_dtype: 'float32',
  }
  const square = [WIDE, WIDE]
  const shapes = { 'model.embed_tokens.weight': [320, WIDE], 'model.norm.weight': [WIDE] }
  for (let layer = 0; layer < LAYERS; layer++) {
    const at = `model.layers.${layer}.`
    for (const part of ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj'])
      shapes[`${at}${part}.weight`] = square
    for (const part of ['mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj'])
      shapes[`${at}${part}.weight`] = square
    for (const part of ['input_layernorm', 'post_attention_layernorm']) shapes[`${at}${part}.weight`] = [WIDE]
  }
  const header = {}
  let offset = 0
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = 4 * shape.reduce((a, b) => a * b, 1)
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes] }
    offset += bytes
  }
  let json = JSON.stringify(header)
  json += ' '.repeat((8 - (json.length % 8)) % 8)
  const head = new Uint8Array(8 + json.length)
  new DataView(head.buffer).setBigUint64(0, BigInt(json.length), true)
  head.set(new TextEncoder().encode(json), 8)
  let state = 42
  const next = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 4294967296 - 0.5) * 0.5
  const weights = Float32Array.from({ length: offset / 4 }, next)
  const model = await window.graft.models.load({
    files: [
      new File([JSON.stringify(config)], 'config.json'),
      new File([head, weights], 'model.safetensors'),
      ...files.map(({ name, text }) => new File([text], name)),
    ],
  })
  const count = async (text) => (await window.graft.tokenize(model.id, text)).ids.length
  let text = 'the order of the day is for my'
  while ((await count(`${text} the day is for my order`)) <= TOKENS) text += ' the day is for my order'
  while ((await count(text)) < TOKENS) text += ' a'
  return text
}

// The golden files themselves: complete, of the stated shapes, and readable without a file system.
import { Tokenizer } from '@huggingface/tokenizers'
import { expect, test } from 'vitest'
import {
  FAMILY_NAMES,
  GOLDEN_NAMES,
  GOLDENS,
  VARIANTS,
  adapterFiles,
  decode,
  decodeAll,
  familyGolden,
  modelBytes,
  modelFiles,
  relativeError,
  variantFiles,
} from '../golden/load.ts'

/** Names and shapes in the header of a safetensors file. */
function header(bytes: Uint8Array): Map<string, number[]> {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  const entries = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
    string,
    { shape: number[] }
  >
  return new Map(Object.entries(entries).flatMap(([name, { shape }]) => (shape ? [[name, shape]] : [])))
}

test.each(GOLDEN_NAMES)('%s: files, arrays and adapters fit its configuration', async (name) => {
  const golden = GOLDENS[name]
  const { hidden_size, vocab_size, num_hidden_layers, num_attention_heads } = golden.config
  expect(
    modelFiles(name)
      .map((file) => file.name)
      .sort(),
  ).toEqual(['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
  const tensors = header(modelBytes(name).get('model.safetensors')!)
  expect(tensors.get('model.embed_tokens.weight')).toEqual([vocab_size, hidden_size])
  expect(tensors.has('lm_head.weight')).toBe(!golden.config.tie_word_embeddings)

  for (const { ids, logits } of golden.base.sequences) {
    expect(logits.shape).toEqual([ids.length, vocab_size])
    expect(decode(logits).length).toBe(ids.length * vocab_size)
    expect(decode(logits).every(Number.isFinite)).toBe(true)
  }
  const { ids, weights } = golden.base.attention
  expect(weights.shape).toEqual([num_hidden_layers, num_attention_heads, ids.length, ids.length])

  for (const task of ['causal', 'classify'] as const) {
    const start = decodeAll(golden[task].adapter.tensors)
    const file = adapterFiles(name, task).find((each) => each.name === 'adapter_model.safetensors')!
    const written = header(new Uint8Array(await file.arrayBuffer()))
    expect([...start.keys()].sort()).toEqual([...written.keys()].sort())
    for (const part of ['afterStep2', 'final'] as const)
      expect(Object.keys(golden[task].trajectory[part])).toEqual([...start.keys()])
    expect(golden[task].trajectory.loss.length).toBe(golden[task].trajectory.hyper.steps)
  }
})

test.each(FAMILY_NAMES)('%s: arrays and adapters of its golden file are whole', async (name) => {
  const golden = familyGolden(name)
  const vocab = Number(golden.config['vocab_size'])
  const { sequences, batch, attention, saliency } = golden.base
  for (const { ids, logits } of [...sequences, ...(golden.causal ? [golden.causal.sequence] : [])]) {
    expect(logits.shape).toEqual([ids.length, vocab])
    expect(decode(logits).length).toBe(ids.length * vocab)
    expect(decode(logits).every(Number.isFinite)).toBe(true)
  }
  expect(batch.logits.shape).toEqual([batch.lengths.length, Math.max(...batch.lengths), vocab])
  expect(attention.weights.shape.slice(2)).toEqual([attention.ids.length, attention.ids.length])
  expect(saliency.gradient.shape).toEqual(saliency.embeddings.shape)
  expect(saliency.gradient.shape[0]).toBe(saliency.ids.length)
  expect(decode(saliency.gradient).some((value) => value !== 0)).toBe(true)

  for (const task of ['causal', 'classify'] as const) {
    const section = golden[task]
    if (!section) continue
    const start = decodeAll(section.adapter.tensors)
    const file = adapterFiles(name, task).find((each) => each.name === 'adapter_model.safetensors')!
    const written = header(new Uint8Array(await file.arrayBuffer()))
    expect(Object.fromEntries([...start].map(([key, { shape }]) => [key, shape]))).toEqual(
      Object.fromEntries(written),
    )
    expect(Object.keys(section.batch.gradients).sort()).toEqual([...start.keys()].sort())
    expect(section.trajectory.loss.length).toBe(section.trajectory.hyper.steps)
    expect(section.trajectory.sensitivity).toBeLessThan(1e-4)
  }
})

/** PEFT repeats a trained classifier's bias under the wrapper's own names where every bias is trained. */
const REPEATED = /\.(modules_to_save|original_module)\./

test('there is a variant of every kind', () => {
  const kinds = VARIANTS.map((each) => each.name.slice(each.model.length + 1))
  for (const kind of ['dora', 'rslora', 'loraplus', 'pissa', 'patterns', 'full', 'nf4-f32-tables'])
    expect(kinds).toContain(kind)
  expect(new Set(VARIANTS.map((each) => each.name)).size).toBe(VARIANTS.length)
})

test.each(VARIANTS)('$name: its arrays and files are whole', async (variant) => {
  const { adapter, batch, trajectory, folder, trained } = variant
  for (const { ids, logits } of [...(variant.sequences ?? []), variant.sequence, variant.after].filter(
    (each) => each !== undefined,
  )) {
    expect(logits.shape[0]).toBe(ids.length)
    expect(decode(logits).every(Number.isFinite)).toBe(true)
  }
  const start = adapter ? Object.keys(adapter.tensors) : (trained ?? [])
  if (batch) for (const key of Object.keys(batch.gradients)) expect(start).toContain(key)
  if (trajectory) {
    expect(trajectory.loss.length).toBe(trajectory.hyper.steps)
    expect(Object.keys(trajectory.final).length).toBeGreaterThan(0)
    for (const key of [...Object.keys(trajectory.final), ...(trajectory.noDecay ?? [])])
      expect(start).toContain(key)
    expect(trajectory.sensitivity).toBeLessThan(1e-4)
  }
  if (!folder) return
  const file = variantFiles(folder).find((each) => each.name === 'adapter_model.safetensors')!
  const written = header(new Uint8Array(await file.arrayBuffer()))
  expect([...written.keys()].filter((key) => !REPEATED.test(key)).sort()).toEqual([...start].sort())
})

test.each(FAMILY_NAMES)('%s: its tokenizer gives the ids of the Python one', (name) => {
  const files = modelBytes(name)
  const text = (file: string) => JSON.parse(new TextDecoder().decode(files.get(file))) as object
  const tokenizer = new Tokenizer(text('tokenizer.json'), text('tokenizer_config.json'))
  for (const each of familyGolden(name).tokenizer.texts) {
    expect(tokenizer.encode(each.text, { add_special_tokens: false }).ids).toEqual(each.ids)
    if (each.special) expect(tokenizer.encode(each.text).ids).toEqual(each.special)
  }
})

test.each(GOLDEN_NAMES)('%s: a rendered chat has the ids of the Python one', (name) => {
  const files = modelBytes(name)
  const text = (file: string) => JSON.parse(new TextDecoder().decode(files.get(file))) as object
  const tokenizer = new Tokenizer(text('tokenizer.json'), text('tokenizer_config.json'))
  const { chat } = GOLDENS[name].tokenizer
  expect(tokenizer.encode(chat.text).ids).toEqual(chat.ids)
})

test('relativeError does not let NaN pass', () => {
  expect(relativeError([1, NaN], [1, 2])).toBeNaN()
  expect(relativeError([1, 2.2], [1, 2])).toBeCloseTo(0.1)
})

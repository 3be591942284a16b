// The golden files themselves: complete, of the stated shapes, and readable without a file system.
import { Tokenizer } from '@huggingface/tokenizers'
import { expect, test } from 'vitest'
import {
  GOLDEN_NAMES,
  GOLDENS,
  adapterFiles,
  decode,
  decodeAll,
  modelBytes,
  modelFiles,
  relativeError,
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

test.each(GOLDEN_NAMES)('%s: its tokenizer gives the ids of the Python one', (name) => {
  const files = modelBytes(name)
  const text = (file: string) => JSON.parse(new TextDecoder().decode(files.get(file))) as object
  const tokenizer = new Tokenizer(text('tokenizer.json'), text('tokenizer_config.json'))
  const { texts, chat } = GOLDENS[name].tokenizer
  for (const each of [...texts, chat]) expect(tokenizer.encode(each.text).ids).toEqual(each.ids)
})

test('relativeError does not let NaN pass', () => {
  expect(relativeError([1, NaN], [1, 2])).toBeNaN()
  expect(relativeError([1, 2.2], [1, 2])).toBeCloseTo(0.1)
})

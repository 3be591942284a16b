// The files of a base with the architecture and tokenizer of an embedded one, but random weights: the baseline that shows
// what pre-training is worth. Weights from N(0, 0.02), norms 1, as transformers initialises a Llama.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A small seeded generator (mulberry32), enough for starting weights. @param {number} seed */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * @param {string} folder of a model in the Hub's layout with one model.safetensors
 * @param {number} seed
 * @returns {{ name: string, base64: string }[]}
 */
export function randomBase(folder, seed) {
  const source = readFileSync(join(folder, 'model.safetensors'))
  const length = Number(source.readBigUInt64LE(0))
  const header = JSON.parse(source.subarray(8, 8 + length).toString('utf8'))
  const random = generator(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const entries = {}
  const parts = []
  let offset = 0
  for (const [name, { shape }] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
      shape.length === 1 ? 1 : 0.02 * normal(),
    )
    entries[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] }
    offset += values.byteLength
    parts.push(Buffer.from(values.buffer))
  }
  const json = Buffer.from(JSON.stringify(entries))
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(BigInt(json.length))
  const files = ['config.json', 'tokenizer.json', 'tokenizer_config.json'].map((name) => ({
    name,
    base64: readFileSync(join(folder, name)).toString('base64'),
  }))
  return [
    ...files,
    { name: 'model.safetensors', base64: Buffer.concat([head, json, ...parts]).toString('base64') },
  ]
}

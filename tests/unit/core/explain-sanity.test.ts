// Sanity of attributions (Adebayo et al. 2018, "Sanity checks for saliency maps", arXiv 1810.03292): a map tells of the
// model's parameters. With the values of every tensor shuffled it says something unrelated; with parameters hardly changed
// it says the same.
import { beforeAll, describe, expect, it } from 'vitest'
import { meanWithInterval } from '../../../src/core/explain/faithfulness.ts'
import { kendall } from '../../../src/core/explain/ranks.ts'
import { saliency } from '../../../src/core/explain/saliency.ts'
import { loadTransformer } from '../../../src/core/models/load.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import type { Transformer } from '../../../src/core/models/transformer.ts'
import { memoryFile, openWeights } from '../../../src/core/models/weights.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { normals, permutation, words } from '../../../src/core/rng.ts'
import { Turns } from '../../../src/core/turns.ts'
import { modelBytes } from '../../golden/load.ts'
import { loadTiny } from './tiny.ts'

const TEXTS = 24
const LENGTH = 10

/** tiny-llama with the values of each tensor changed. */
async function changed(change: (values: Float32Array, tensor: number) => Float32Array): Promise<Transformer> {
  const bytes = modelBytes('tiny-llama')
  const { family, architecture } = recogniseModel(
    JSON.parse(new TextDecoder().decode(bytes.get('config.json'))) as Parameters<typeof recogniseModel>[0],
  )
  const file = bytes.get('model.safetensors')!.slice()
  const size = Number(new DataView(file.buffer).getBigUint64(0, true))
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + size))) as Record<
    string,
    { dtype?: string; data_offsets: [number, number] }
  >
  Object.values(header).forEach(({ dtype, data_offsets: [from, to] = [0, 0] }, tensor) => {
    if (dtype === undefined) return
    expect(dtype).toBe('F32')
    const values = new Float32Array(file.slice(8 + size + from, 8 + size + to).buffer)
    file.set(new Uint8Array(change(values, tensor).buffer), 8 + size + from)
  })
  return loadTransformer(family, architecture, await openWeights([memoryFile('model', file)]), opsFor('cpu'))
}

describe('gradient x input', () => {
  let models: Transformer[]
  beforeAll(async () => {
    models = [
      await loadTiny('tiny-llama'),
      await changed((values, tensor) => {
        const order = permutation({ seed: 1, purpose: 'shuffle', step: tensor }, values.length)
        return values.map((_, i) => values[order[i]!]!)
      }),
      await changed((values, tensor) => {
        const noise = normals({ seed: 2, purpose: 'noise', step: tensor }, values.length)
        return values.map((value, i) => value * (1 + 0.01 * noise[i]!))
      }),
    ]
  })

  it('follows the parameters', async () => {
    const random: number[] = []
    const near: number[] = []
    for (let text = 0; text < TEXTS; text++) {
      const ids = Array.from(words({ seed: text, purpose: 'sample' }, LENGTH), (word) => 5 + (word % 50))
      const maps = await Promise.all(
        models.map((model) =>
          saliency(
            {
              model,
              trainable: { classify: false, adaptation: null },
              turns: new Turns(),
              padId: 0,
              maskId: null,
              ids,
              explained: { index: 7, contrast: null, position: LENGTH - 1 },
              fixed: new Uint8Array(LENGTH),
            },
            { method: 'gradientXInput' },
          ),
        ),
      )
      const [own, foreign, similar] = maps.map(({ scores }) => scores)
      random.push(kendall(own!, foreign!))
      near.push(kendall(own!, similar!))
    }
    const [low, high] = meanWithInterval(random).interval
    expect(low).toBeLessThan(0)
    expect(high).toBeGreaterThan(0)
    expect(high - low).toBeLessThan(0.3)
    expect(meanWithInterval(near).interval[0]).toBeGreaterThan(0.7)
  })
})

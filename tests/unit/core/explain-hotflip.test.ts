// HotFlip's first-order estimates on a tiny model: what the gradient and the embedding table say by hand, and the slope of
// the model itself on the way from one word to the other.
import { beforeAll, describe, expect, it } from 'vitest'
import { embeddings, inputGradient } from '../../../src/core/explain/gradient.ts'
import { flipsOf } from '../../../src/core/explain/hotflip.ts'
import type { Subject } from '../../../src/core/explain/subject.ts'
import { Turns } from '../../../src/core/turns.ts'
import { loadTiny } from './tiny.ts'

const IDS = [5, 17, 9, 30, 12]
let subject: Subject
beforeAll(async () => {
  const model = await loadTiny('tiny-llama')
  subject = {
    model,
    trainable: { classify: false, adaptation: null } as unknown as Subject['trainable'],
    turns: new Turns(),
    padId: 0,
    maskId: null,
    ids: IDS,
    explained: { index: 7, contrast: null, position: 4 },
    fixed: new Uint8Array(5),
  }
})

describe('flips', () => {
  const units = [
    { text: 'a', from: 1, to: 2 },
    { text: 'b c', from: 2, to: 4 },
  ]
  const words = Int32Array.from({ length: 40 }, (_, i) => i)

  it('are estimated by the slope of the margin, the strongest first', async () => {
    const flips = await flipsOf(subject, units, { rivals: [3, 11], words: [words, words], each: 40 })
    expect(flips.filter(({ unit }) => unit === 0)).toHaveLength(39)
    const { model, trainable } = subject
    const x = await embeddings(model, IDS)
    const table = await embeddings(model, [...words])
    const d = model.architecture.hidden
    for (const { unit, id, estimate } of flips) {
      const { from, to } = units[unit]!
      let least = Infinity
      for (const rival of [3, 11]) {
        const question = { ...subject.explained, contrast: rival }
        const { gradient } = gradients.get(rival) ?? (await inputGradient(model, x, question, trainable))
        gradients.set(rival, { gradient })
        let change = 0
        for (let i = 0; i < d; i++) change += gradient[from * d + i]! * table[id * d + i]!
        for (let i = from * d; i < to * d; i++) change -= gradient[i]! * x[i]!
        least = Math.min(least, change)
      }
      expect(estimate).toBeCloseTo(least, 4)
    }
    for (const unit of [0, 1]) {
      const estimates = flips.filter((flip) => flip.unit === unit).map(({ estimate }) => estimate)
      expect(estimates).toEqual(estimates.toSorted((a, b) => a - b))
    }
  })
  const gradients = new Map<number, { gradient: Float32Array }>()

  it('are the slope of the model from one word to the other', async () => {
    const [flip] = await flipsOf(subject, units.slice(0, 1), { rivals: [3], words: [words], each: 1 })
    const { model, trainable } = subject
    const question = { ...subject.explained, contrast: 3 }
    const x = await embeddings(model, IDS)
    const other = await embeddings(model, [flip!.id])
    const d = model.architecture.hidden
    const at = async (share: number) => {
      const moved = x.slice()
      for (let i = 0; i < d; i++) moved[d + i]! += share * (other[i]! - x[d + i]!)
      return (await inputGradient(model, moved, question, trainable)).value
    }
    const slope = ((await at(0.02)) - (await at(-0.02))) / 0.04
    expect(Math.abs(slope - flip!.estimate)).toBeLessThan(5e-3 * Math.max(1, Math.abs(slope)))
    expect(flip!.estimate).toBeLessThan(0)
  })
})

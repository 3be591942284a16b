// What layers hold: against transformers' hidden states, scikit-learn and the contract of each method.
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it, vi } from 'vitest'
import { inspectLogits } from '../../../src/core/explain/inspect.ts'
import { cka, ckaMatrix, geometry, moved } from '../../../src/core/explain/layers/cka.ts'
import { additions, contributions } from '../../../src/core/explain/layers/contributions.ts'
import { logitLens } from '../../../src/core/explain/layers/lens.ts'
import {
  accuracyOf,
  fitSoftmax,
  majorityOf,
  probeLayer,
  probeSplit,
  shuffled,
  standardised,
} from '../../../src/core/explain/layers/probe.ts'
import { pooledStates } from '../../../src/core/explain/layers/states.ts'
import type { Subject } from '../../../src/core/explain/subject.ts'
import { normals } from '../../../src/core/rng.ts'
import { Turns } from '../../../src/core/turns.ts'
import golden from '../../golden/layerwise.json'
import { relativeError } from '../../golden/load.ts'
import { loadTiny } from './tiny.ts'

type Name = keyof typeof golden.models
const NAMES = Object.keys(golden.models) as Name[]

async function subjectOf(name: Name): Promise<Subject> {
  const { ids, followed } = golden.models[name]
  const position = ids.length - 1
  return {
    model: await loadTiny(name),
    trainable: { adaptation: null, classify: false },
    turns: new Turns(),
    padId: 0,
    maskId: null,
    ids,
    explained: { index: followed[position]!, contrast: 1, position },
    fixed: new Uint8Array(ids.length),
  }
}

describe.each(NAMES)('%s', (name) => {
  const theirs = golden.models[name]
  const positions = theirs.ids.map((_, t) => t)

  it('the lens agrees with transformers, and its last layer is the logits', async () => {
    const subject = await subjectOf(name)
    const before = tf.memory().numTensors
    const lens = await logitLens(subject, theirs.ids, { positions, k: 3, output: null })
    expect(tf.memory().numTensors).toBe(before)
    expect([...lens.followed]).toEqual(theirs.followed)
    expect(relativeError(lens.logits, theirs.logits)).toBeLessThan(2e-5)
    expect(relativeError(lens.probabilities, theirs.probabilities)).toBeLessThan(1e-4)
    expect([...lens.ranks]).toEqual(theirs.ranks)
    expect([...lens.topIds]).toEqual(theirs.top)
    const { logits, shape } = await inspectLogits(subject.model, theirs.ids, subject.trainable, 0)
    const last = lens.logits.subarray(-positions.length)
    positions.forEach((t) =>
      expect(Math.abs(last[t]! - logits[t * shape[1] + lens.followed[t]!]!)).toBeLessThan(1e-5),
    )
  })

  it('norms agree with transformers, and direct contributions add up', async () => {
    const subject = await subjectOf(name)
    const before = tf.memory().numTensors
    const found = await additions(subject)
    expect(tf.memory().numTensors).toBe(before)
    for (const part of ['residual', 'attention', 'mlp'] as const)
      expect(relativeError(found[part], theirs[part])).toBeLessThan(2e-5)
    const { direct, value } = found
    if (name === 'tiny-bert') return expect(direct).toBeNull()
    const parts = [direct!.input, direct!.bias, ...direct!.attention, ...direct!.mlp]
    const sum = parts.reduce((total, part) => total + part, 0)
    expect(Math.abs(sum - value)).toBeLessThan(1e-4)
    expect(direct!.residual).toBeCloseTo(value - sum, 6)
  })
})

it('the lens by hand: equal logits rank by index, the entropy is in nats, and a wanted output is followed', async () => {
  const subject = await subjectOf('tiny-llama')
  const { blocks } = subject.model.parts
  const row = [1, 3, 3, 0, 3]
  vi.spyOn(subject.model.head, 'logits').mockImplementation(() => tf.tensor2d(row, [1, row.length]))
  const ask = (output: number | null) => logitLens(subject, [5, 6], { positions: [1], k: 2, output })
  const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0)
  const entropy = row.reduce((sum, logit) => sum + (Math.exp(logit) / total) * (Math.log(total) - logit), 0)
  for (const [output, rank] of [
    [1, 1],
    [2, 2],
    [4, 3],
    [0, 4],
    [3, 5],
  ] as const) {
    // prettier-ignore
    const lens = await ask(output)
    expect([...lens.followed]).toEqual([output])
    expect(lens.ranks).toEqual(new Int32Array(blocks.length + 1).fill(rank))
    expect(lens.logits[0]).toBe(row[output])
    expect(lens.probabilities[0]).toBeCloseTo(Math.exp(row[output]!) / total, 6)
  }
  const lens = await ask(null)
  expect([...lens.followed]).toEqual([1])
  expect([...lens.topIds.subarray(0, 2)]).toEqual([1, 2])
  expect(lens.topProbabilities[1]).toBeCloseTo(Math.exp(3) / total, 6)
  expect(lens.entropies[0]).toBeCloseTo(entropy, 6)
})

it('the lens tells each of its outputs with its own probability, at the positions that were asked for', async () => {
  const subject = await subjectOf('tiny-llama')
  const { ids } = golden.models['tiny-llama']
  const lens = await logitLens(subject, ids, { positions: [4, 1], k: 3, output: null })
  const all = await logitLens(subject, ids, { positions: ids.map((_, t) => t), k: 3, output: null })
  const { logits, shape } = await inspectLogits(subject.model, ids, subject.trainable, 0)
  const last = lens.ranks.length - 2
  for (const [p, t] of [4, 1].entries()) {
    const row = [...logits.subarray(t * shape[1], (t + 1) * shape[1])]
    const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0)
    const shares = row.map((logit) => Math.exp(logit) / total)
    const cell = last + p
    const own = lens.topProbabilities.subarray(cell * 3, cell * 3 + 3)
    expect([...own]).toEqual(shares.toSorted((a, b) => b - a).slice(0, 3).map((share) => expect.closeTo(share, 6))) // prettier-ignore
    expect(lens.entropies[cell]).toBeCloseTo(
      shares.reduce((sum, share) => sum - share * Math.log(share), 0),
      5,
    )
    for (let layer = 0; layer <= last / 2; layer++)
      expect(lens.entropies[layer * 2 + p]).toBeCloseTo(all.entropies[layer * ids.length + t]!, 6)
  }
})

it('a lens of more logits than are read at once is read in parts', async () => {
  const subject = await subjectOf('tiny-llama')
  const { ids } = golden.models['tiny-llama']
  const { model } = subject
  const ask = () => logitLens(subject, ids, { positions: ids.map((_, t) => t), k: 2, output: null })
  const whole = await ask()
  const logits = vi.spyOn(model.head, 'logits')
  // As if a row had so many logits that two are read at once.
  Object.defineProperty(model, 'architecture', { value: { ...model.architecture, vocab: 2 ** 21 } })
  expect(await ask()).toEqual(whole)
  expect(logits.mock.calls.map(([n]) => n.shape[0])).toEqual(Array(whole.ranks.length / 2).fill(2))
})

describe('direct contributions by hand', () => {
  const n = Float32Array.of(1, 1)
  const part = (...values: number[]) => Float32Array.from(values)
  // What entered, then attention and MLP of two blocks: the last residual is (3, 4).
  const parts = [part(1, 0), part(0, 2), part(2, 0), part(0, 1), part(0, 1)]
  const [w, b, dn] = [part(2, 1), part(0.5, 0.25), part(3, 5)]

  it('of a root mean square: attention and MLP by turns, the scale of the whole residual', () => {
    const epsilon = 0.5
    const scale = 1 / Math.sqrt((9 + 16) / 2 + epsilon)
    const value = 7
    const found = contributions(parts, { value, n, dn, w }, { kind: 'rms', epsilon })
    expect(found.input).toBeCloseTo(3 * 2 * scale, 6)
    expect([...found.attention]).toEqual([10 * scale, 5 * scale].map((each) => expect.closeTo(each, 6)))
    expect([...found.mlp]).toEqual([12 * scale, 5 * scale].map((each) => expect.closeTo(each, 6)))
    expect(found.bias).toBeCloseTo(value - 8, 6)
    expect(found.residual).toBeCloseTo(value - (value - 8) - 38 * scale, 6)
  })

  it('of a LayerNorm: each part without its own mean, and the norm adds its bias', () => {
    const scale = 1 / Math.sqrt(0.25 + 0.75)
    const found = contributions(parts, { value: 0, n, dn, w, b }, { kind: 'layer', epsilon: 0.75 })
    // (1, 0) less its mean is (0.5, -0.5).
    expect(found.input).toBeCloseTo((3 * 2 * 0.5 - 5 * 0.5) * scale, 6)
    expect(found.attention[0]).toBeCloseTo((-3 * 2 + 5) * scale, 6)
    expect(found.bias).toBeCloseTo(3 * 0.5 + 5 * 0.25 - 8, 6)
  })
})

it('a contrast contributes the difference of two outputs', async () => {
  const subject = await subjectOf('tiny-llama')
  const { explained } = subject
  const of = (index: number, contrast: number | null) =>
    additions({ ...subject, explained: { ...explained, index, contrast } })
  const [both, one, other] = [await of(4, 9), await of(4, null), await of(9, null)]
  expect(both.value).toBeCloseTo(one.value - other.value, 5)
  both.direct!.mlp.forEach((share, l) =>
    expect(share).toBeCloseTo(one.direct!.mlp[l]! - other.direct!.mlp[l]!, 5),
  )
})

it('the state of an answer is the last token after each layer; a mean is over tokens that are not special', async () => {
  const subject = await subjectOf('tiny-llama')
  const { ids, residual } = golden.models['tiny-llama']
  const { hidden } = subject.model.architecture
  const special = ids[2]!
  const isSpecial = (id: number) => id === special
  // What a causal model holds at a token does not depend on those after it.
  const prefixes = ids.map((_, t) => ids.slice(0, t + 1))
  const answers = await pooledStates(subject, prefixes, { pool: 'answer', isSpecial })
  const norms = answers.flatMap((layer) =>
    ids.map((_, t) => Math.hypot(...layer.subarray(t * hidden, (t + 1) * hidden))),
  )
  expect(relativeError(Float32Array.from(norms), residual)).toBeLessThan(2e-5)
  const whole = await pooledStates(subject, [ids, [special, special]], { pool: 'mean', isSpecial })
  const kept = ids.flatMap((id, t) => (isSpecial(id) ? [] : [t]))
  expect(kept.length).toBe(ids.length - 1)
  whole.forEach((layer, l) => {
    for (let j = 0; j < hidden; j++) {
      const mean = kept.reduce((sum, t) => sum + answers[l]![t * hidden + j]!, 0) / kept.length
      expect(layer[j]).toBeCloseTo(mean, 5)
    }
    // A text of special tokens alone is taken whole.
    expect(Math.hypot(...layer.subarray(hidden))).toBeGreaterThan(0)
  })
})

it('states of a batch are those of each text alone', async () => {
  const subject = await subjectOf('tiny-llama')
  const texts = [[12, 40, 7, 55, 31], [9], [5, 6, 5, 6, 5, 6, 5, 6, 5]]
  const options = { pool: 'mean', isSpecial: (id: number) => id === 9 } as const
  const before = tf.memory().numTensors
  const all = await pooledStates(subject, texts, options)
  expect(tf.memory().numTensors).toBe(before)
  for (const [i, ids] of texts.entries()) {
    const alone = await pooledStates(subject, [ids], options)
    alone.forEach((layer, l) =>
      expect(relativeError(all[l]!.subarray(i * layer.length, (i + 1) * layer.length), layer)).toBeLessThan(
        1e-5,
      ),
    )
  }
})

describe('CKA', () => {
  const of = (seed: number, n: number, d: number) => normals({ seed, purpose: 'noise' }, n * d)

  it('agrees with HSIC written out', () => {
    const { x, y, rows, cka: theirs } = golden.cka
    const ours = cka(geometry(Float32Array.from(x), rows), geometry(Float32Array.from(y), rows))
    expect(Math.abs(ours - theirs)).toBeLessThan(1e-6)
  })

  it('by hand: unbiased, it can be negative; a matrix has a row for each of the first', () => {
    // Two ways to halve four rows: pairs of the one are apart in the other.
    const [a, b] = [[1, 1, -1, -1], [1, -1, 1, -1]].map((x) => geometry(Float32Array.from(x), 4)) // prettier-ignore
    expect(cka(a!, b!)).toBeCloseTo(-0.5, 12)
    const c = geometry(of(4, 4, 2), 4)
    const matrix = ckaMatrix([a!, b!], [a!, b!, c])
    expect([...matrix]).toEqual([1, -0.5, cka(a!, c), -0.5, 1, cka(b!, c)].map((x) => expect.closeTo(x, 12)))
    // Rows that differ by rounding alone are the same.
    const rounded = Float32Array.from({ length: 12 }, (_, i) => 1 + (i < 6 && i % 3 === 0 ? 2 ** -23 : 0))
    expect(geometry(rounded, 4)).toBeNull()
  })

  it('moved is the mean distance beside the mean length before', () => {
    const [before, after] = [Float32Array.of(1, 0, 0, 3), Float32Array.of(1, 1, 0, 3)]
    expect(moved(before, after, 2)).toBe(1 / 4)
    expect(moved(after, before, 2)).toBeCloseTo(1 / (Math.SQRT2 + 3), 12)
  })

  it('is 1 with itself, turned, scaled or moved; near 0 for independent states', () => {
    const n = 128
    const x = of(1, n, 64)
    const own = geometry(x, n)
    expect(cka(own, own)).toBeCloseTo(1, 10)
    // A turn of each pair of columns, a scale and a shift.
    const turned = x.map((element, i) => {
      const other = x[i ^ 1]!
      return 3 * (i % 2 === 0 ? 0.6 * element - 0.8 * other : 0.8 * other + 0.6 * element) + (i % 64)
    })
    expect(cka(own, geometry(turned, n))).toBeCloseTo(1, 6)
    const wide = geometry(of(2, n, 768), n)
    expect(Math.abs(cka(geometry(of(3, n, 768), n), wide))).toBeLessThan(0.05)
    expect(cka(geometry(new Float32Array(n * 4).fill(2), n), own)).toBeNaN()
    expect(moved(x, x, n)).toBe(0)
    expect(
      moved(
        x,
        x.map((element) => 2 * element),
        n,
      ),
    ).toBeCloseTo(1, 6)
  })
})

describe('probes', () => {
  it('agree with scikit-learn', () => {
    const { x, labels, weights, bias, accuracy } = golden.probe
    const all = Uint32Array.from(labels, (_, i) => i)
    const z = standardised(Float32Array.from(x), labels.length, all)
    const fit = fitSoftmax(z, 4, all, labels, 3)
    expect(relativeError(fit.weights, weights)).toBeLessThan(1e-3)
    const mean = fit.bias.reduce((sum, b) => sum + b / 3, 0)
    expect(
      relativeError(
        fit.bias.map((b) => b - mean),
        bias,
      ),
    ).toBeLessThan(1e-2)
    expect(accuracyOf(fit, z, 4, all, labels)).toBeCloseTo(accuracy, 9)
  })

  it('are judged on rows that they have not learnt from, and scaled by those that they have', () => {
    const [n, d] = [60, 64]
    const labels = Array.from({ length: n }, (_, i) => i % 2)
    const split = probeSplit(labels, 3)
    // More columns than rows: what is learnt is right there, and chance elsewhere.
    const noise = normals({ seed: 8, purpose: 'noise' }, n * d)
    expect(probeLayer(noise, labels, 2, { train: split.train, test: split.train })).toBe(1)
    expect(probeLayer(noise, labels, 2, split)).toBeLessThan(0.8)
    // A test row far away must not press the others together.
    const far = split.test.find((row) => labels[row] === 1)!
    const x = Float32Array.from(labels, (label, row) => (row === far ? 1e6 : label))
    expect(probeLayer(x, labels, 2, split)).toBe(1)
  })

  it('always the most frequent label of the rows learnt from is judged on the others', () => {
    const labels = [0, 0, 0, 1, 1, 1, 1, 1]
    const split = { train: Uint32Array.of(0, 1, 2, 3), test: Uint32Array.of(4, 5, 6, 7) }
    expect(majorityOf(labels, 2, split)).toBe(0)
    expect(majorityOf(labels, 2, { ...split, test: Uint32Array.of(2, 4) })).toBe(0.5)
  })

  it('a label with one row is learnt from only; a column that rounding alone moves counts for nothing', () => {
    const { train, test } = probeSplit([0, 0, 0, 1, 0], 1)
    expect([...train]).toContain(3)
    expect([...test]).not.toContain(3)
    const x = Float32Array.of(1, 5, 1 + 2 ** -23, 7, 1, 9)
    const z = standardised(x, 3, Uint32Array.of(0, 1, 2))
    expect([z[0]!, z[2]!, z[4]!].map(Math.abs)).toEqual([0, 0, 0])
    expect(z[1]).toBeCloseTo(-Math.sqrt(1.5), 6)
  })

  it('labels are shuffled anew for each round and seed', () => {
    const labels = Array.from({ length: 40 }, (_, i) => i % 4)
    const one = shuffled(labels, 2, 0)
    expect(one.toSorted()).toEqual(labels.toSorted())
    expect(one).not.toEqual(labels)
    expect(shuffled(labels, 2, 0)).toEqual(one)
    expect(shuffled(labels, 2, 1)).not.toEqual(one)
    expect(shuffled(labels, 3, 0)).not.toEqual(one)
  })

  it('find a planted direction; the control is at chance; the split is seeded and keeps shares', () => {
    const n = 400
    const labels = Array.from({ length: n }, (_, i) => i % 2)
    const x = normals({ seed: 5, purpose: 'noise' }, n * 8).map((element, i) =>
      i % 8 === 3 ? element + 4 * labels[Math.floor(i / 8)]! : element,
    )
    const split = probeSplit(labels, 7)
    expect(probeSplit(labels, 7)).toEqual(split)
    expect(probeSplit(labels, 8)).not.toEqual(split)
    expect([split.train.length, split.test.length]).toEqual([280, 120])
    expect(new Set([...split.train, ...split.test]).size).toBe(n)
    expect(majorityOf(labels, 2, split)).toBe(0.5)
    const rounds = [0, 1, 2]
    const control =
      rounds.reduce((sum, round) => sum + probeLayer(x, shuffled(labels, 7, round), 2, split), 0) / 3
    expect(probeLayer(x, labels, 2, split)).toBeGreaterThan(0.95)
    // Three standard errors of 360 answers.
    expect(Math.abs(control - 0.5)).toBeLessThan(0.08)
  })
})

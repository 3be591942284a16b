// What layers hold: against transformers' hidden states, scikit-learn and the contract of each method.
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { inspectLogits } from '../../../src/core/explain/inspect.ts'
import { cka, geometry, moved } from '../../../src/core/explain/layers/cka.ts'
import { additions } from '../../../src/core/explain/layers/contributions.ts'
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

// When a film takes its frames, how they are kept, and what one shows.
import fc from 'fast-check'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it, vi } from 'vitest'
import { filmShot, packAttention, shotBytes, unpackAttention } from '../../../src/core/explain/film.ts'
import { inspectAttention, inspectLogits } from '../../../src/core/explain/inspect.ts'
import { saliency } from '../../../src/core/explain/saliency.ts'
import { filmAhead, filmInterval, isFrame, roomFor } from '../../../src/core/train/film.ts'
import { Turns } from '../../../src/core/turns.ts'
import { FILM_OUTPUTS } from '../../../src/protocol/explain.ts'
import { filmConfig } from '../../../src/protocol/filmSettings.ts'
import { loadTiny } from './tiny.ts'

describe('frames', () => {
  it('come at an interval, before the first step and at the end', () => {
    expect(filmInterval(0, 100)).toBe(5)
    expect(filmInterval(0, 3)).toBe(1)
    expect(filmInterval(0, 101)).toBe(6)
    expect(filmInterval(7, 100)).toBe(7)
    expect(filmAhead(10, 4, 1, 100)).toEqual({ taken: 4, kept: [0, 4, 8, 10], every: 4, bytes: 4 })
    expect(isFrame(10, 4, false)).toBe(false)
  })

  it('are thinned when the film is full, and stay below its bytes', () => {
    // Five fit: 0 1 2 3 4, full at 5 -> 0 2 4 (5 is left out), 6 8, full at 10 -> 0 4 8, 12, and 13 is the last.
    expect(filmAhead(13, 1, 20, 100)).toEqual({ taken: 9, kept: [0, 4, 8, 12, 13], every: 4, bytes: 100 })
    expect(roomFor(new Map([[0, 60]]), 60, 3, 100)).toBe(3)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 40 }), (steps, every) => {
        const { kept, bytes, every: last } = filmAhead(steps, every, 10, 70)
        expect(bytes).toBeLessThanOrEqual(70)
        expect(kept[0]).toBe(0)
        expect(kept.at(-1)).toBe(steps)
        expect(kept.slice(0, -1)).toEqual(Array.from({ length: Math.ceil(steps / last) }, (_, i) => i * last))
        expect(Math.log2(last / every) % 1).toBe(0)
      }),
    )
  })

  it('keep attention within 2.5e-4, 0 and 1 exactly', () => {
    fc.assert(
      fc.property(fc.float({ min: 0, max: 1, noNaN: true }), (share) => {
        const [kept] = unpackAttention(packAttention(Float32Array.of(share)))
        expect(Math.abs(kept! - share)).toBeLessThanOrEqual(2 ** -12)
        expect(Math.abs(kept! - share)).toBeLessThanOrEqual(Math.max(2 ** -25, share * 2 ** -11))
      }),
    )
    expect([...unpackAttention(packAttention(Float32Array.of(0, 1)))]).toEqual([0, 1])
  })
})

it('a shot is what attention, saliency and the logits say', async () => {
  const model = await loadTiny('tiny-llama')
  const trainable = { adaptation: null, classify: false }
  const turns = new Turns()
  const asked = { model, trainable, turns, padId: 0, maskId: null }
  const ids = [3, 9, 4, 17, 5]
  const scene = { ids, position: 4, output: null }
  const shot = await filmShot(asked, scene, ['attention', 'saliency'], String)
  const { logits } = await inspectLogits(model, ids, trainable, 0, 4)
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!)
  expect(shot.outputs.map(({ index }) => index)).toEqual(order.slice(0, FILM_OUTPUTS))
  expect(shot.explained).toBe(order[0])
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
  expect(shot.outputs[0]!.probability).toBeCloseTo(Math.exp(logits[order[0]!]!) / total, 5)
  expect(shot.attention).toEqual(await inspectAttention(model, ids, trainable, 0))
  const subject = {
    ...asked,
    ids,
    fixed: new Uint8Array(5),
    explained: { index: order[0]!, contrast: null, position: 4 },
  }
  expect(shot.saliency).toEqual((await saliency(subject, { method: 'gradientXInput' })).scores)
  expect(shotBytes(model.architecture, 5, ['attention', 'saliency'])).toBe(
    packAttention(shot.attention!).byteLength + shot.saliency!.byteLength,
  )
  expect(shotBytes(model.architecture, 5, ['saliency'])).toBe(shot.saliency!.byteLength)
  // Another output is explained, and named although it is not likely.
  const last = await filmShot(asked, { ...scene, output: order.at(-1)! }, ['saliency'], String)
  expect(last.attention).toBeNull()
  expect(last.outputs.at(-1)!.index).toBe(order.at(-1))
  expect(last.outputs.length).toBe(FILM_OUTPUTS)
  model.dispose()
})

it('of equally likely outputs those with the lower index are told', async () => {
  const model = await loadTiny('tiny-llama')
  const asked = { model, trainable: { adaptation: null, classify: false }, turns: new Turns() }
  const logits = [1, 3, 0, 3, 2, 3, 1, 1]
  vi.spyOn(model.head, 'logits').mockImplementation(() => tf.tensor2d(logits, [1, logits.length]))
  const scene = { ids: [3, 9], position: 1, output: null }
  const { outputs, explained } = await filmShot({ ...asked, padId: 0, maskId: null }, scene, [], String)
  expect(outputs.map(({ index }) => index)).toEqual([1, 3, 5, 4, 0, 6, 7, 2].slice(0, FILM_OUTPUTS))
  expect(explained).toBe(1)
  model.dispose()
})

it('settings are checked by name', () => {
  expect(filmConfig({ texts: ['a', { text: 'b', output: 'x' }] })).toEqual({
    texts: [{ text: 'a' }, { text: 'b', output: 'x' }],
    every: 0,
    maps: ['attention', 'saliency'],
  })
  for (const wrong of [
    { texts: [] },
    { texts: ['a', 'b', 'c', 'd', 'e'] },
    { texts: [' '] },
    { texts: ['a'], every: -1 },
    { texts: ['a'], every: 1.5 },
    { texts: ['a'], maps: [] },
    { texts: ['a'], maps: ['loss'] },
    { texts: ['a'], colour: true },
    { texts: [{ text: 'a', output: 3 }] },
  ])
    expect(() => filmConfig(wrong as never)).toThrow(expect.objectContaining({ code: 'E_ARGUMENT' }))
})

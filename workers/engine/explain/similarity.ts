// graft.explain.similarity: how alike layers are, and where tuning has changed the base.
import { CKA_LEAST_ROWS, ckaMatrix, geometry, moved } from '../../../src/core/explain/layers/cka.ts'
import { pooledStates } from '../../../src/core/explain/layers/states.ts'
import { breathe } from '../../../src/core/turns.ts'
import type { Trainable } from '../../../src/core/train/objective.ts'
import { throwIfAborted } from '../../../src/protocol/errors.ts'
import { POOLS } from '../../../src/protocol/explain.ts'
import { checkIds, inputIds } from '../questions.ts'
import { secondsLeft } from '../time.ts'
import { withTarget, type Explainer } from './desk.ts'
import { checkCount, checkDataset, checkOneOf, checkSeed } from './checks.ts'
import { checkRows, drawRows } from './rowStates.ts'

const ROWS = 128
const ROWS_LIMIT = 512

export const similarity: Explainer<'similarity'> = async (desk, target, request, context) => {
  const { pool = 'mean', seed = 0 } = request
  if (!('texts' in request)) checkDataset(request.dataset, ', or texts')
  checkOneOf('pool', pool, POOLS)
  checkSeed(seed)
  return withTarget(desk, target, async (resolved) => {
    const { base, trainable } = resolved
    const { model, tokenizer, padId } = base
    let texts: number[][]
    if ('texts' in request) {
      checkCount('The number of texts', request.texts.length, CKA_LEAST_ROWS, ROWS_LIMIT)
      texts = request.texts.map((text) => inputIds(resolved, { text }))
    } else {
      const { dataset, split, rows = ROWS } = request
      checkCount('rows', rows, CKA_LEAST_ROWS, ROWS_LIMIT)
      const drawn = await drawRows(desk, resolved, { dataset, ...(split && { split }), rows, seed })
      texts = drawn.examples.map(({ ids }) => ids)
      checkRows(texts.length, CKA_LEAST_ROWS)
    }
    for (const ids of texts) checkIds(ids, model.architecture)
    const tuned = trainable.adaptation !== null
    const total = texts.length * (tuned ? 2 : 1)
    const started = performance.now()
    let before = 0
    const statesOf = async (trained: Trainable) => {
      const asked = { model, trainable: trained, turns: desk.turns, padId, maskId: tokenizer.maskId }
      const states = await pooledStates(asked, texts, {
        pool,
        isSpecial: (id) => tokenizer.isSpecial(id),
        onBatch: (done) =>
          context.progress({
            label: 'Reading layers',
            done: before + done,
            total,
            unit: 'rows',
            secondsLeft: secondsLeft(started, before + done, total),
          }),
        signal: context.signal,
      })
      before += texts.length
      return states
    }
    const geometries = async (states: Float32Array[]) => {
      const found = []
      for (const layer of states) {
        await breathe()
        throwIfAborted(context.signal)
        found.push(geometry(layer, texts.length))
      }
      return found
    }
    const states = await statesOf(trainable)
    const own = await geometries(states)
    const result = {
      layers: model.architecture.layers,
      rows: texts.length,
      pool,
      seed,
      self: ckaMatrix(own, own),
      base: null,
    }
    if (!tuned) return result
    // The same token is read, but nothing stands beside the base.
    const plain = await statesOf({ ...trainable, adaptation: null })
    const untuned = await geometries(plain)
    const cross = ckaMatrix(untuned, own)
    return {
      ...result,
      base: {
        self: ckaMatrix(untuned, untuned),
        cross,
        same: Float64Array.from(own, (_, l) => cross[l * own.length + l]!),
        moved: Float64Array.from(states, (layer, l) => moved(plain[l]!, layer, texts.length)),
      },
    }
  })
}

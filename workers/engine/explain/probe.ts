// graft.explain.probe: from which layer on a label can be read.
import { majorityOf, probeLayer, probeSplit, shuffled } from '../../../src/core/explain/layers/probe.ts'
import { pooledStates } from '../../../src/core/explain/layers/states.ts'
import { breathe } from '../../../src/core/turns.ts'
import { GraftError, throwIfAborted } from '../../../src/protocol/errors.ts'
import { POOLS } from '../../../src/protocol/explain.ts'
import { checkIds } from '../questions.ts'
import { secondsLeft } from '../time.ts'
import { withTarget, type Explainer } from './desk.ts'
import { checkCount, checkDataset, checkOneOf, checkSeed } from './checks.ts'
import { checkRows, drawRows } from './rowStates.ts'

const ROWS = 500
const ROWS_LEAST = 10
const ROWS_LIMIT = 5000
const CONTROLS_LIMIT = 20

export const probe: Explainer<'probe'> = async (desk, target, request, context) => {
  const { dataset, split, pool = 'mean', seed = 0, rows = ROWS, controls = 1 } = request
  checkDataset(dataset)
  checkOneOf('pool', pool, POOLS)
  checkSeed(seed)
  checkCount('rows', rows, ROWS_LEAST, ROWS_LIMIT)
  checkCount('controls', controls, 1, CONTROLS_LIMIT)
  return withTarget(desk, target, async (resolved) => {
    const { model, tokenizer, padId } = resolved.base
    const drawn = await drawRows(desk, resolved, {
      dataset,
      ...(split && { split }),
      rows,
      seed,
      task: 'classify',
    })
    const examples = drawn.examples.flatMap((example) => ('label' in example ? [example] : []))
    checkRows(examples.length, ROWS_LEAST)
    for (const { ids } of examples) checkIds(ids, model.architecture)
    const names = drawn.labels!
    const labels = examples.map(({ label }) => label)
    if (new Set(labels).size < 2)
      throw new GraftError(
        'E_DATASET',
        `All ${labels.length} rows have the label "${names[labels[0]!]}", so there is nothing to tell apart. Take more rows, or another part.`,
        { dataset },
      )
    const asked = {
      model,
      trainable: resolved.trainable,
      turns: desk.turns,
      padId,
      maskId: tokenizer.maskId,
    }
    const reading = performance.now()
    const states = await pooledStates(
      asked,
      examples.map(({ ids }) => ids),
      {
        pool,
        isSpecial: (id) => tokenizer.isSpecial(id),
        onBatch: (done, total) =>
          context.progress({
            label: 'Reading layers',
            done,
            total,
            unit: 'rows',
            secondsLeft: secondsLeft(reading, done, total),
          }),
        signal: context.signal,
      },
    )
    const parts = probeSplit(labels, seed)
    const total = states.length * (1 + controls)
    const started = performance.now()
    let done = 0
    const accuracyOf = async (layer: Float32Array, given: readonly number[]) => {
      await breathe()
      throwIfAborted(context.signal)
      const found = probeLayer(layer, given, names.length, parts)
      context.progress({
        label: 'Learning probes',
        done: ++done,
        total,
        unit: 'items',
        secondsLeft: secondsLeft(started, done, total),
      })
      return found
    }
    const accuracy = new Float64Array(states.length)
    const control = new Float64Array(states.length)
    for (const [l, layer] of states.entries()) {
      accuracy[l] = await accuracyOf(layer, labels)
      for (let round = 0; round < controls; round++)
        control[l]! += (await accuracyOf(layer, shuffled(labels, seed, round))) / controls
    }
    return {
      layers: model.architecture.layers,
      labels: names,
      pool,
      seed,
      controls,
      train: parts.train.length,
      test: parts.test.length,
      accuracy,
      control,
      selectivity: accuracy.map((share, l) => share - control[l]!),
      majority: majorityOf(labels, names.length, parts),
      best: accuracy.indexOf(accuracy.reduce((a, b) => Math.max(a, b))),
    }
  })
}

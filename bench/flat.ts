// Whether memory stays flat: a thousand steps over rows of every length, and what is held after the first pass over them
// beside the most that is held later.
import { defaultAdapter } from '../src/protocol/settings.ts'
import { memoryUse } from '../src/core/backend/memory.ts'
import { bufferBytes } from './counters.ts'
import { makeTrainer, RANK, type LoadedShape } from './graft.ts'
import { randomIds } from './randomWeights.ts'

export interface FlatFigures {
  steps: number
  /** Steps of one pass, each of other lengths. */
  pass: number
  /** After the first pass, and the most after any later step. */
  bytes: { first: number; later: number }
  tensors: { first: number; later: number }
}

/** Rows of a step, and the shortest and longest row. */
const BATCH = 2
const LENGTHS = { least: 5, most: 250 }
const PASS = 40

export async function measureFlat(loaded: LoadedShape, passes: number): Promise<FlatFigures> {
  const { vocab } = loaded.model.architecture
  const rows = randomIds(BATCH * PASS, LENGTHS.most, vocab).map((ids, row) =>
    ids.slice(0, LENGTHS.least + ((row * 97) % (LENGTHS.most - LENGTHS.least))),
  )
  const steps = passes * PASS
  const first = { bytes: 0, tensors: 0 }
  const later = { bytes: 0, tensors: 0 }
  const trainer = await makeTrainer(
    loaded,
    defaultAdapter({ r: RANK, alpha: 2 * RANK }),
    BATCH,
    LENGTHS.most,
    steps,
    () => {
      if (trainer.step < PASS) return
      const seen = trainer.step < 2 * PASS ? first : later
      seen.bytes = Math.max(seen.bytes, bufferBytes().live)
      seen.tensors = Math.max(seen.tensors, memoryUse().tensors)
    },
    {
      train: { rows: rows.length, get: (places) => Promise.resolve(places.map((at) => labelled(rows[at]!))) },
    },
  )
  try {
    await trainer.run()
  } finally {
    trainer.dispose()
  }
  return {
    steps,
    pass: PASS,
    bytes: { first: first.bytes, later: later.bytes },
    tensors: { first: first.tensors, later: later.tensors },
  }
}

const labelled = (ids: number[]) => ({ ids, labels: ids })

// Whether a text reads like its label: the linear model of the health report's label check, learnt from the training rows that
// examples come from, of each class about as many, in five folds. It is wrong at times, which costs a row that would have been good; a row of
// another kind under a label costs more.
import { features, FEATURES_MOST, inverseFrequencies, SparseRows } from '../../health/features.ts'
import { Logistic } from '../../health/logistic.ts'
import { words } from '../../health/words.ts'
import type { Pool } from './pool.ts'
import { textOf } from './shape.ts'

/** Rows of a class without which nothing is said about it. */
export const CLASS_LEAST = 20
/** Weights of the model: 32 MB; and rows times classes that it learns from, some seconds. */
const WEIGHTS_LIMIT = 2 ** 23
const WORK_LIMIT = 1_000_000
const FOLDS = 5
/** Share of a class's own rows that are less sure than what is taken: a text about something else is unsure of everything. */
const UNSURE = 0.1
const EPOCHS = 5
const RATE = 4

export interface LabelModel {
  /** True also where nothing can be said. */
  fits(text: string, label: string): boolean
}

/** Null where there are fewer than two classes with enough rows, or too many classes. */
export async function labelModel(
  pool: Pool,
  seed: number,
  pause: () => Promise<void>,
): Promise<LabelModel | null> {
  const labels = pool.labels.filter((label) => label !== null && pool.size(label) >= CLASS_LEAST) as string[]
  const most = Math.floor(WORK_LIMIT / labels.length ** 2)
  if (labels.length < 2 || most < CLASS_LEAST) return null
  const size = Math.min(FEATURES_MOST, 2 ** Math.floor(Math.log2(WEIGHTS_LIMIT / labels.length)))
  const rows = new SparseRows()
  const classes: number[] = []
  for (const [index, label] of labels.entries())
    for (const row of pool.rows(label).slice(0, most)) {
      rows.add(features(words(textOf(row)), size - 1))
      classes.push(index)
    }
  const inverse = inverseFrequencies(rows, size)
  const average = new Logistic(size, labels.length, inverse)
  /** How sure models that had not seen a row are of its label, by label. */
  const sureness = labels.map((): number[] => [])
  const given = Int32Array.from(classes)
  const all = Uint32Array.from({ length: rows.rows }, (_, row) => row)
  for (let held = 0; held < FOLDS; held++) {
    const model = new Logistic(size, labels.length, inverse)
    const learnt = all.filter((row) => row % FOLDS !== held)
    await model.train(rows, given, learnt, { epochs: EPOCHS, rate: RATE, seed }, pause)
    for (let row = held; row < rows.rows; row += FOLDS)
      sureness[given[row]!]!.push(model.predict(rows.at(row))[given[row]!]!)
    average.addScaled(model, 1 / FOLDS)
  }
  const least = sureness.map((scores) => scores.sort((a, b) => a - b)[Math.floor(scores.length * UNSURE)]!)
  return {
    fits(text, label) {
      const index = labels.indexOf(label)
      if (index < 0) return true
      const scores = average.predict(features(words(text), size - 1))
      const own = scores[index]!
      return own >= least[index]! && scores.every((score) => score <= own)
    },
  }
}

// Rows whose label is likely wrong: a linear model learns from four fifths of the rows at a time and judges the last
// fifth, and confident learning (confident.ts) decides how many of each class to doubt. Where there are more rows than
// the model learns from, it judges the rest in a second pass, with the average of its five versions.
import type { Pause } from '../pause.ts'
import { permutation } from '../rng.ts'
import {
  dropAll,
  finding,
  NO_LABEL,
  RankedRows,
  type Check,
  type HealthInput,
  type RowView,
} from './check.ts'
import { labelIssues } from './confident.ts'
import { featuresOf, FEATURES_MOST, inverseFrequencies, SparseRows } from './features.ts'
import { Logistic } from './logistic.ts'
import { excerpt, percent, plural } from './say.ts'

export const DEFAULT_LABEL_ROWS = 50_000
const FOLDS = 5
/** Rows of a class without which it cannot be judged: one a fold. */
const CLASS_LEAST = FOLDS
/** Weights of a model: 32 MB. More classes get fewer features. */
const WEIGHTS_LIMIT = 2 ** 23
/** Rows times classes of which a model learns: bounds the time to about half a minute. */
const WORK_LIMIT = 4_000_000
const EPOCHS = 5
const RATE = 4

export function mislabelledCheck(input: HealthInput): Check | null {
  if (input.label === null || input.texts.length === 0) return null
  const { seed = 42, labelRows = DEFAULT_LABEL_ROWS } = input.options
  const sampled = new Sampled(input.rows, labelRows, seed)
  const labels = new Int32Array(Math.min(input.rows, labelRows))
  const index = new Int32Array(labels.length)
  let sparse = new SparseRows()
  let judge: Judge | null = null
  let skipped: string | null = null
  const list = new RankedRows()
  let looked = 0

  const note = (row: RowView['index'], label: number, best: number, own: number, probability: number): void =>
    list.add(
      row,
      probability - own,
      () =>
        `“${excerpt(input.labels.names[label]!, 40)}”, more like “${excerpt(input.labels.names[best]!, 40)}” (${percent(probability)})`,
    )

  return {
    kinds: ['mislabelled'],
    row(row) {
      if (!sampled.has(row.index) || row.label === NO_LABEL || sparse.rows === labels.length) return
      labels[sparse.rows] = row.label
      index[sparse.rows] = row.index
      sparse.add(featuresOf(row.hashes, FEATURES_MOST - 1))
    },
    working: 'Learning the labels, to judge them',
    async between(pause) {
      const { names, tooMany } = input.labels
      skipped = tooMany ? 'The label column has too many different values to be classes.' : null
      const judged = skipped
        ? null
        : await crossValidate(sparse, labels.subarray(0, sparse.rows), names.length, seed, pause)
      sparse = new SparseRows()
      if (!judged) {
        skipped ??= 'At least two classes need five rows each.'
        return 0
      }
      judge = judged
      looked = judged.looked
      for (const { row, best, own, probability } of judged.issues)
        note(index[row]!, labels[row]!, best, own, probability)
      return input.rows > sampled.size ? 1 : 0
    },
    again(row) {
      if (!judge || sampled.has(row.index) || row.label === NO_LABEL) return
      const issue = judge.of(row.hashes, row.label)
      looked++
      if (issue) note(row.index, row.label, issue.best, issue.own, issue.probability)
    },
    finish() {
      if (list.count === 0) return []
      const column = input.columns[input.label!]!
      return [
        finding(input, {
          kind: 'mislabelled',
          column,
          severity: 'check',
          title: `${plural(list.count, 'row')} (${percent(list.count / looked)}) may carry the wrong label`,
          explanation: `A simple model that had not seen them is surer of another class than it usually is when it is right (confident learning, cross-validated; ${percent(judge!.accuracy)} of its answers agree with the labels). About every second of these is truly wrong in our tests: read them before you drop them.`,
          count: list.count,
          looked,
          rows: list.rows,
          remedies: [dropAll(list)],
        }),
      ]
    },
    skipped: () => (skipped === null ? [] : [{ kind: 'mislabelled', reason: skipped }]),
  }
}

/** A seeded choice of rows; all of them where they are few enough. */
class Sampled {
  readonly size: number
  readonly #chosen: Uint8Array | null

  constructor(rows: number, limit: number, seed: number) {
    this.size = Math.min(rows, limit)
    this.#chosen = rows <= limit ? null : new Uint8Array(rows)
    if (this.#chosen)
      for (const row of permutation({ seed, purpose: 'sample', layer: 4 }, rows).subarray(0, limit))
        this.#chosen[row] = 1
  }

  has(row: number): boolean {
    return this.#chosen === null || this.#chosen[row] === 1
  }
}

interface Issue {
  best: number
  own: number
  probability: number
}

interface Judge {
  issues: ({ row: number } & Issue)[]
  looked: number
  /** Share of the rows judged whose label is the model's first choice. */
  accuracy: number
  /** A row that the model has not learnt from; null where its label is believed. */
  of(hashes: Uint32Array, label: number): Issue | null
}

/** Null where fewer than two classes have rows enough. */
export async function crossValidate(
  all: SparseRows,
  given: Int32Array,
  names: number,
  seed: number,
  pause: Pause,
): Promise<Judge | null> {
  const counts = new Int32Array(names)
  for (const label of given) counts[label]!++
  /** Class of the model by label; rare labels are left out. */
  const classOf = new Int32Array(names).fill(-1)
  const labelOf: number[] = []
  for (let label = 0; label < names; label++)
    if (counts[label]! >= CLASS_LEAST) classOf[label] = labelOf.push(label) - 1
  const classes = labelOf.length
  if (classes < 2) return null

  // Few classes allow many features. The work is bounded by taking fewer rows.
  const size = Math.min(FEATURES_MOST, 2 ** Math.floor(Math.log2(WEIGHTS_LIMIT / classes)))
  const most = Math.floor(WORK_LIMIT / classes)
  const order = permutation({ seed, purpose: 'sample', layer: 5 }, all.rows)
  const members = order.filter((row) => classOf[given[row]!]! >= 0).subarray(0, most)
  const labels = Int32Array.from(members, (row) => classOf[given[row]!]!)
  const rows = size === FEATURES_MOST ? all.chosen(members) : folded(all, members, size)

  const inverse = inverseFrequencies(rows, size)
  const fold = stratified(labels, classes)
  const probabilities = new Float32Array(rows.rows * classes)
  const average = new Logistic(size, classes, inverse)
  for (let held = 0; held < FOLDS; held++) {
    const model = new Logistic(size, classes, inverse)
    const learnt = Uint32Array.from({ length: rows.rows }, (_, row) => row).filter(
      (row) => fold[row] !== held,
    )
    await model.train(rows, labels, learnt, { epochs: EPOCHS, rate: RATE, seed }, pause)
    for (let row = 0; row < rows.rows; row++)
      if (fold[row] === held) probabilities.set(model.predict(rows.at(row)), row * classes)
    average.addScaled(model, 1 / FOLDS)
    await pause((held + 1) / FOLDS)
  }

  const { rows: wrong, cuts } = labelIssues({ labels, probabilities, classes })
  const issueOf = (scores: Float32Array, label: number): Issue => {
    let best = 0
    for (let c = 1; c < classes; c++) if (scores[c]! > scores[best]!) best = c
    return { best: labelOf[best]!, own: scores[label]!, probability: scores[best]! }
  }
  let right = 0
  for (let row = 0; row < rows.rows; row++)
    if (issueOf(probabilities.subarray(row * classes, (row + 1) * classes), 0).best === labelOf[labels[row]!])
      right++
  return {
    issues: wrong.map((row) => ({
      row: members[row]!,
      ...issueOf(probabilities.subarray(row * classes, (row + 1) * classes), labels[row]!),
    })),
    looked: rows.rows,
    accuracy: right / rows.rows,
    of(hashes, label) {
      const known = classOf[label]!
      if (known < 0) return null
      const issue = issueOf(average.predict(featuresOf(hashes, size - 1)), known)
      return issue.own < cuts[known]! && issue.best !== label ? issue : null
    },
  }
}

/** Rows with the features of a smaller table: their lower bits, each once. */
function folded(all: SparseRows, members: Uint32Array, size: number): SparseRows {
  const rows = new SparseRows()
  for (const row of members) {
    const kept = all
      .at(row)
      .map((feature) => feature & (size - 1))
      .sort()
    rows.add(kept.filter((feature, i) => i === 0 || feature !== kept[i - 1]))
  }
  return rows
}

/** A fold for each row, so that every class is spread evenly; rows come in a random order already. */
function stratified(labels: Int32Array, classes: number): Uint8Array {
  const next = Uint8Array.from({ length: classes }, (_, label) => label % FOLDS)
  return Uint8Array.from(labels, (label) => {
    const fold = next[label]!
    next[label] = (fold + 1) % FOLDS
    return fold
  })
}

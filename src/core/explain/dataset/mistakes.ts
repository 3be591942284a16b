// Where a classifier and the labels disagree: pairs of labels that are confused, and rows whose label fits least. Scores of
// labels as in confident learning (Northcutt et al. 2021; cleanlab's self_confidence and normalized_margin).
import type {
  ConfusedPair,
  LabelQuality,
  MistakeRow,
  MistakesResult,
} from '../../../protocol/explain/dataset.ts'
import { accuracy, confusionMatrix } from '../../metrics/classification.ts'

export interface JudgedRows {
  /** [n]: row of the dataset. */
  rows: ArrayLike<number>
  /** [n]: index of its label. */
  gold: readonly number[]
  /** [n, classes] */
  probabilities: Float64Array
}

export type Mistakes = Pick<MistakesResult, 'accuracy' | 'confusion' | 'pairs' | 'suspects'>

/** `count`: rows listed at most, in all and for each pair. */
export function mistakesOf(
  { rows, gold, probabilities }: JudgedRows,
  classes: number,
  method: LabelQuality,
  count: number,
): Mistakes {
  const judged = gold.map((label, i): MistakeRow => {
    const row = probabilities.subarray(i * classes, (i + 1) * classes)
    const predicted = row.indexOf(Math.max(...row))
    const probability = row[label]!
    return {
      row: rows[i]!,
      gold: label,
      predicted,
      probability,
      margin: row[predicted]! - probability,
      quality: labelQuality(row, label, method),
    }
  })
  const confusion = confusionMatrix(
    gold,
    judged.map(({ predicted }) => predicted),
    classes,
  )
  const wrong = judged.filter(({ gold, predicted }) => gold !== predicted)
  return {
    accuracy: accuracy(confusion),
    confusion,
    pairs: pairsOf(wrong, confusion, count),
    suspects: wrong.sort((a, b) => a.quality - b.quality || a.row - b.row).slice(0, count),
  }
}

/** How well a label fits a row's probabilities, 0 to 1. */
export function labelQuality(probabilities: ArrayLike<number>, label: number, method: LabelQuality): number {
  const own = probabilities[label]!
  if (method === 'selfConfidence') return own
  let other = 0
  for (let c = 0; c < probabilities.length; c++) if (c !== label) other = Math.max(other, probabilities[c]!)
  return (own - other + 1) / 2
}

function pairsOf(
  wrong: readonly MistakeRow[],
  confusion: readonly number[][],
  count: number,
): ConfusedPair[] {
  const groups = new Map<string, MistakeRow[]>()
  for (const each of wrong) {
    const key = `${each.gold}/${each.predicted}`
    groups.set(key, [...(groups.get(key) ?? []), each])
  }
  return [...groups.values()]
    .map((group): ConfusedPair => {
      const { gold, predicted } = group[0]!
      return {
        gold,
        predicted,
        count: group.length,
        share: group.length / confusion[gold]!.reduce((sum, n) => sum + n, 0),
        margin: group.reduce((sum, { margin }) => sum + margin, 0) / group.length,
        rows: [...group]
          .sort((a, b) => b.margin - a.margin || a.row - b.row)
          .slice(0, count)
          .map(({ row }) => row),
      }
    })
    .sort((a, b) => b.count - a.count || b.margin - a.margin)
}

/** Softmax of every row of [n, classes] logits. */
export function softmaxRows(logits: ArrayLike<number>, classes: number): Float64Array {
  const out = new Float64Array(logits.length)
  for (let start = 0; start < logits.length; start += classes) {
    let largest = -Infinity
    for (let c = 0; c < classes; c++) largest = Math.max(largest, logits[start + c]!)
    let total = 0
    for (let c = 0; c < classes; c++) total += out[start + c] = Math.exp(logits[start + c]! - largest)
    for (let c = 0; c < classes; c++) out[start + c]! /= total
  }
  return out
}

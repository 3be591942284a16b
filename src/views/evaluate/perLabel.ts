// Precision, recall and F1 of each label, from the confusion matrix.

export interface LabelScore {
  label: string
  rows: number
  /** Share of the rows given this label that have it; NaN if none was given it. */
  precision: number
  /** Share of the rows that have this label and were given it; NaN if none has it. */
  recall: number
  f1: number
}

/** @param confusion confusion[gold][predicted] */
export function perLabel(labels: string[], confusion: number[][]): LabelScore[] {
  return labels.map((label, at) => {
    const rows = sum(confusion[at] ?? [])
    const given = sum(confusion.map((row) => row[at] ?? 0))
    const right = confusion[at]?.[at] ?? 0
    const f1 = rows + given > 0 ? (2 * right) / (rows + given) : NaN
    return { label, rows, precision: given ? right / given : NaN, recall: rows ? right / rows : NaN, f1 }
  })
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

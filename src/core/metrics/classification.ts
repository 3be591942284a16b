// Accuracy, macro-F1 and the confusion matrix, as scikit-learn defines them.

/** confusion[gold][predicted] */
export function confusionMatrix(
  gold: readonly number[],
  predicted: readonly number[],
  classes: number,
): number[][] {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  gold.forEach((g, i) => matrix[g]![predicted[i]!]!++)
  return matrix
}

export function accuracy(confusion: readonly number[][]): number {
  const total = confusion.flat().reduce((sum, n) => sum + n, 0)
  return total === 0 ? NaN : confusion.reduce((sum, row, i) => sum + row[i]!, 0) / total
}

/** Mean of the classes' F1 scores, over classes that occur as gold or prediction (scikit-learn's default); 0/0 is 0. */
export function macroF1(confusion: readonly number[][]): number {
  const scores: number[] = []
  confusion.forEach((row, c) => {
    const gold = row.reduce((sum, n) => sum + n, 0)
    const predicted = confusion.reduce((sum, other) => sum + other[c]!, 0)
    if (gold + predicted > 0) scores.push((2 * row[c]!) / (gold + predicted))
  })
  return scores.length === 0 ? NaN : scores.reduce((sum, f1) => sum + f1, 0) / scores.length
}

// Metrics as scikit-learn defines them (accuracy_score, f1_score with average="macro", confusion_matrix); worked by hand.
import { expect, it } from 'vitest'
import { accuracy, confusionMatrix, macroF1 } from '../../../src/core/metrics/classification.ts'
import { gaussLegendre } from '../../../src/core/explain/quadrature.ts'

const gold = [0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
const predicted = [0, 1, 1, 1, 0, 2, 2, 2, 1, 0]

it('confusion, accuracy and macro-F1', () => {
  const confusion = confusionMatrix(gold, predicted, 3)
  expect(confusion).toEqual([
    [1, 1, 0],
    [1, 2, 0],
    [1, 1, 3],
  ])
  expect(accuracy(confusion)).toBe(0.6)
  // F1: 2/5, 4/7, 6/8
  expect(macroF1(confusion)).toBeCloseTo((0.4 + 4 / 7 + 0.75) / 3, 12)
  // A class that occurs on neither side does not count.
  expect(macroF1(confusionMatrix(gold, predicted, 4))).toBeCloseTo(macroF1(confusion), 12)
})

it('Gauss-Legendre integrates polynomials of degree 2n - 1 exactly', () => {
  for (const points of [1, 2, 5, 50]) {
    const degree = 2 * points - 1
    const rule = gaussLegendre(points)
    expect(rule.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 12)
    expect(rule.reduce((sum, { node, weight }) => sum + weight * node ** degree, 0)).toBeCloseTo(
      1 / (degree + 1),
      12,
    )
  }
})

// Training rows get weights in the loss: by how rare their value is, by a list, or by a number that stands in a column.
// A row of weight 2 teaches as much as the same row twice (King & Zeng 2001, "Logistic Regression in Rare Events Data").
import { GraftError } from '../../protocol/errors.ts'
import type { WeighStep, Weighed } from '../../protocol/recipe.ts'
import { placeOf } from './columns.ts'
import { eachRow, rowStage, type Flow, type FlowRow, type Stage, type StepContext } from './flow.ts'

/** Beyond these, float32 has no digits left for the other rows of a step. */
export const LEAST_WEIGHT = 1e-6
export const MOST_WEIGHT = 1e6
/** Values whose weights are told. */
const TOLD_VALUES = 200

/** n / (values x rows of the value): scikit-learn's compute_class_weight('balanced'). */
export function balancedWeights(counts: ReadonlyMap<string, number>): Map<string, number> {
  const total = [...counts.values()].reduce((sum, rows) => sum + rows, 0)
  return new Map([...counts].map(([value, rows]) => [value, total / (counts.size * rows)]))
}

export async function weigh(step: WeighStep, input: Flow, context: StepContext): Promise<Stage> {
  const { columns } = input
  const place = placeOf(columns, step.column)
  const valueOf = (row: FlowRow): string => (row.cells[place] ?? '').trim()
  const isTraining = (row: FlowRow): boolean => row.synthetic || context.isTraining(row.id)
  /** Training rows of each value, in the order in which they are met; numbers are checked on the way. */
  const counts = new Map<string, number>()
  await eachRow(input, context, (row, index) => {
    const value = valueOf(row)
    if (value === '' || !isTraining(row)) return
    if (step.by === 'number') checkNumber(value, step.column, index)
    counts.set(value, (counts.get(value) ?? 0) + 1)
  })
  if (counts.size === 0)
    throw new GraftError('E_ARGUMENT', `no training row has anything in the column "${step.column}".`, {
      column: step.column,
    })
  const weights = weightsOf(step, counts)
  const stage = rowStage(columns, (row) => {
    const weight = isTraining(row) ? weights.get(valueOf(row)) : undefined
    return weight === undefined ? row : { ...row, weight: (row.weight ?? 1) * weight }
  })
  return { ...stage, weighed: told(step, counts, weights) }
}

function weightsOf(step: WeighStep, counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  switch (step.by) {
    case 'balanced':
      return balancedWeights(counts)
    case 'value':
      if (!step.weights?.length)
        throw new GraftError('E_ARGUMENT', 'give the weight of at least one value, such as [["rare", 3]].')
      return new Map(step.weights.map(([value, weight]) => [value.trim(), weight]))
    case 'number':
      return new Map([...counts.keys()].map((value) => [value, Number(value)]))
    default:
      return step.by satisfies never
  }
}

function checkNumber(value: string, column: string, index: number): void {
  const weight = Number(value)
  if (weight >= LEAST_WEIGHT && weight <= MOST_WEIGHT) return
  throw new GraftError(
    'E_ARGUMENT',
    `row ${index + 1} has "${value.slice(0, 40)}" in the column "${column}", which is no weight from ${LEAST_WEIGHT} to ` +
      `${MOST_WEIGHT.toLocaleString('en')}. Leave such rows out with a filter, or empty the cell for a weight of 1.`,
    { column, row: index },
  )
}

/** What a step says of its weights; of the numbers of a column only their range. */
function told(
  { by }: WeighStep,
  counts: ReadonlyMap<string, number>,
  weights: ReadonlyMap<string, number>,
): Weighed {
  const values = [...weights]
    .map(([value, weight]) => ({ value, weight, rows: counts.get(value) ?? 0 }))
    .sort((a, b) => b.rows - a.rows || (a.value < b.value ? -1 : 1))
  const met = values.filter(({ rows }) => rows > 0)
  return {
    rows: met.reduce((sum, { rows }) => sum + rows, 0),
    least: met.reduce((least, { weight }) => Math.min(least, weight), met[0]?.weight ?? 1),
    most: met.reduce((most, { weight }) => Math.max(most, weight), met[0]?.weight ?? 1),
    ...(by !== 'number' && { values: values.slice(0, TOLD_VALUES) }),
  }
}

// The classes of a classification set: those with too few rows to learn from, and how unequal they are.
import { SPLIT_NAMES } from '../../protocol/data.ts'
import { finding, RowList, type Check, type HealthInput } from './check.ts'
import { percent, plural, some } from './say.ts'

const TRAIN = SPLIT_NAMES.indexOf('train')
export const DEFAULT_RARE = 10
/** Evenness below which a set counts as unbalanced: with two classes a share of 89%. */
const EVENNESS_LOW = 0.5
const EVENNESS_MODERATE = 0.85
/** Largest class / smallest, from which on imbalance is told even where many classes even it out. */
const RATIO_HIGH = 10

/** Shannon entropy / log(classes): 1 where all are equally large, 0 where one has everything. */
export function evenness(counts: readonly number[]): number {
  const filled = counts.filter((rows) => rows > 0)
  const total = filled.reduce((sum, rows) => sum + rows, 0)
  if (filled.length < 2) return filled.length
  const entropy = -filled.reduce((sum, rows) => sum + (rows / total) * Math.log(rows / total), 0)
  return entropy / Math.log(filled.length)
}

export function rareClassesCheck(input: HealthInput): Check | null {
  if (input.label === null) return null
  const { rare = DEFAULT_RARE } = input.options
  /** Rows of labels while they are rare. */
  const rows: (number[] | null)[] = []
  return {
    kinds: ['rareClasses'],
    row({ label, index }) {
      if (label < 0) return
      if (rows[label] === undefined) rows[label] = []
      const list = rows[label]
      if (!list) return
      if (list.length >= rare - 1) rows[label] = null
      else list.push(index)
    },
    finish() {
      const { names, counts, tooMany } = input.labels
      if (tooMany) return []
      const few = names
        .map((name, i) => ({ name, rows: counts[i]!, at: rows[i] ?? [] }))
        .filter((label) => label.rows < rare)
        .sort((a, b) => a.rows - b.rows || (a.name < b.name ? -1 : 1))
      if (few.length === 0) return []
      const list = new RowList()
      for (const { name, at } of few) for (const row of at) list.add(row, name)
      const column = input.columns[input.label!]!
      return [
        finding(input, {
          kind: 'rareClasses',
          column,
          severity: few.some((label) => label.rows < 3) ? 'fix' : 'check',
          title: `${plural(few.length, 'class has', 'classes have')} fewer than ${rare} rows`,
          explanation: `${some(few.map((label) => `“${label.name}” (${label.rows})`))}. A class with so few rows is hardly learnt, and its test figures are luck. Add rows, or put it together with another class.`,
          count: list.count,
          rows: list.rows,
          table: {
            columns: ['Class', 'Rows'],
            rows: few.slice(0, 100).map((label) => [label.name, label.rows]),
          },
          remedies: [
            // One class under another name, or several that are too few together, would be as rare.
            ...(few.length > 1 && list.count >= rare
              ? [
                  {
                    label: 'Merge them into “other”',
                    steps: [
                      {
                        kind: 'mapLabels' as const,
                        column,
                        map: few.map(({ name }): [string, string] => [name, 'other']),
                      },
                    ],
                  },
                ]
              : []),
            {
              label: 'Drop their rows',
              steps: [
                { kind: 'mapLabels', column, map: few.map(({ name }): [string, string] => [name, '']) },
                { kind: 'dropMissing', columns: [column] },
              ],
            },
          ],
        }),
      ]
    },
  }
}

export function imbalanceCheck(input: HealthInput): Check | null {
  if (input.label === null) return null
  const { parts } = input
  const counts: number[] = []
  return {
    kinds: ['imbalance'],
    // Rows that are held out stay as they are found in the world; what is learnt from can be evened out.
    row({ label, index }) {
      if (label >= 0 && (!parts || parts[index] === TRAIN)) counts[label] = (counts[label] ?? 0) + 1
    },
    finish() {
      const { names, tooMany } = input.labels
      if (tooMany) return []
      const even = evenness(Object.values(counts))
      const order = names
        .map((name, i) => ({ name, rows: counts[i] ?? 0 }))
        .filter(({ rows }) => rows > 0)
        .sort((a, b) => b.rows - a.rows || (a.name < b.name ? -1 : 1))
      if (order.length < 2) return []
      const largest = order[0]!
      const smallest = order.at(-1)!
      const ratio = largest.rows / smallest.rows
      if (even >= EVENNESS_MODERATE && ratio < RATIO_HIGH) return []
      const total = order.reduce((sum, { rows }) => sum + rows, 0)
      const column = input.columns[input.label!]!
      const weighed = input.weighed.includes(column)
      const severity = even < EVENNESS_LOW ? 'fix' : 'check'
      return [
        finding(input, {
          kind: 'imbalance',
          column,
          severity: weighed ? 'know' : severity,
          title: `“${largest.name}” has ${Number(ratio.toFixed(ratio < 10 ? 1 : 0))} times as many ${parts ? 'training rows' : 'rows'} as “${smallest.name}”`,
          explanation: `The classes are ${percent(even)} even (entropy of their shares; 100% is all equal). Always answering “${largest.name}” would be right in ${percent(largest.rows / total)} of the rows, so look at macro F1 in place of accuracy.${weighed ? ' The recipe weighs the classes in training.' : ''}`,
          table: {
            columns: ['Class', 'Rows', 'Share'],
            rows: order.slice(0, 100).map(({ name, rows }) => [name, rows, percent(rows / total)]),
          },
          remedies: [
            { label: 'Repeat rows of rare classes', steps: [{ kind: 'rebalance', column, method: 'over' }] },
            {
              label: 'Leave out rows of frequent ones',
              steps: [{ kind: 'rebalance', column, method: 'under' }],
            },
            ...(weighed
              ? []
              : [
                  {
                    label: 'Weigh rows of rare classes more in training',
                    steps: [{ kind: 'weigh' as const, column, by: 'balanced' as const }],
                  },
                ]),
          ],
        }),
      ]
    },
  }
}

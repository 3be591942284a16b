// Rows that are copies of an earlier one, cell by cell or in what is learnt from them: a number or a date of its own does not make
// a text another one. White space at the ends of cells never counts.
import type { Finding } from '../../protocol/health.ts'
import { joined } from '../recipe/rowKeys.ts'
import { bySize, finding, NO_ROW, RowList, textColumns, type Check, type HealthInput } from './check.ts'
import { FirstRows } from './hash.ts'
import { percent, plural, rowName } from './say.ts'

export function duplicatesCheck(input: HealthInput): Check {
  let known: FirstRows | null = new FirstRows(input.rows)
  const places = input.columns.map((_, place) => place)
  const list = new RowList()
  const texts = new RowList()
  /** Label of each row that is the first with its texts. */
  const labels = new Int32Array(input.label === null ? 0 : input.rows)
  return {
    kinds: ['exactDuplicates'],
    row({ cells, index, first: sameText, label }) {
      if (cells.every((cell) => cell.trim() === '')) return
      if (input.label !== null) labels[index] = label
      const first = known!.firstOf(joined(cells, places), index)
      if (first !== index) list.add(index, `copy of ${rowName(first)}`)
      else if (sameText >= 0 && sameText !== index && (input.label === null || labels[sameText] === label))
        texts.add(index, `the text of ${rowName(sameText)}`)
    },
    between() {
      known = null
      return 0
    },
    finish() {
      const found: Finding[] = []
      if (texts.count > 0)
        found.push(
          finding(input, {
            id: 'exactDuplicates:texts',
            kind: 'exactDuplicates',
            severity: bySize(texts.count, input.rows, 0.01),
            title: `${plural(texts.count, 'row')} (${percent(texts.count / input.rows)}) ${texts.count === 1 ? 'repeats' : 'repeat'} the text of an earlier row`,
            explanation: `What is learnt from them is the same${input.label === null ? '' : ', label included'}; only columns that are not learnt from differ, such as a number or a date. They count more than other rows, and if one is trained on and the other tested, the test is too easy.`,
            count: texts.count,
            rows: texts.rows,
            remedies: [
              {
                label: 'Keep one of each',
                steps: [
                  {
                    kind: 'dedupeExact',
                    columns: [
                      ...textColumns(input),
                      ...(input.label === null ? [] : [input.columns[input.label]!]),
                    ],
                  },
                ],
              },
            ],
          }),
        )
      if (list.count === 0) return found
      return [
        ...found,
        finding(input, {
          kind: 'exactDuplicates',
          severity: bySize(list.count, input.rows, 0.01),
          title: `${plural(list.count, 'row')} (${percent(list.count / input.rows)}) ${list.count === 1 ? 'is an exact copy' : 'are exact copies'} of an earlier row`,
          explanation:
            'All their cells are the same. Copies are learnt more often than other rows, and if one is trained on and the other tested, the test is too easy.',
          count: list.count,
          rows: list.rows,
          remedies: [{ label: 'Keep one of each', steps: [{ kind: 'dedupeExact' }] }],
        }),
      ]
    },
  }
}

/** The same texts with different labels: whatever the model answers, some of these rows say it is wrong. */
export function conflictsCheck(input: HealthInput): Check | null {
  if (input.label === null) return null
  const first = new Int32Array(input.rows).fill(-1)
  const labels = new Int32Array(input.rows).fill(-1)
  return {
    kinds: ['labelConflicts'],
    row(row) {
      first[row.index] = row.first
      labels[row.index] = row.label
    },
    finish() {
      const torn = new Uint8Array(first.length)
      let texts = 0
      for (let row = 0; row < first.length; row++) {
        const other = first[row]!
        if (other < 0 || labels[row]! < 0 || labels[other]! < 0 || labels[row] === labels[other]) continue
        if (torn[other] === 0) texts++
        torn[other] = 1
      }
      if (texts === 0) return []
      const list = new RowList()
      for (const row of together(first, (row) => torn[first[row]!] === 1 && labels[row]! >= 0))
        list.add(row, `says “${input.labels.names[labels[row]!]!}”`)
      const columns = textColumns(input)
      const label = input.columns[input.label!]!
      const step = { kind: 'resolveConflicts' as const, columns, label }
      return [
        finding(input, {
          kind: 'labelConflicts',
          severity: 'fix',
          column: label,
          title: `${plural(texts, 'text')} with different labels, in ${plural(list.count, 'row')}`,
          explanation:
            'The same text has more than one label. The model cannot get all of them right, and learns to be unsure.',
          count: list.count,
          rows: list.rows,
          remedies: [
            { label: 'Take the label of most', steps: [{ ...step, how: 'majority' }] },
            { label: 'Drop these rows', steps: [{ ...step, how: 'drop' }] },
          ],
        }),
      ]
    },
  }
}

/** Rows that take part, those of one text one after the other, in the order of the first of them. */
function* together(first: Int32Array, takes: (row: number) => boolean): Generator<number> {
  /** The next row of the same text, and of each text the row before. */
  const next = new Int32Array(first.length).fill(NO_ROW)
  const latest = new Int32Array(first.length).fill(NO_ROW)
  const heads = new Uint8Array(first.length)
  for (let row = 0; row < first.length; row++) {
    if (!takes(row)) continue
    const before = latest[first[row]!]!
    if (before === NO_ROW) heads[row] = 1
    else next[before] = row
    latest[first[row]!] = row
  }
  for (let head = 0; head < first.length; head++)
    if (heads[head] === 1) for (let row = head; row !== NO_ROW; row = next[row]!) yield row
}

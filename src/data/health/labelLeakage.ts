// A column that gives the label away: one that says the same as the label, so that a model learns to copy in place of
// to read; and texts that hold the name of their label.
import { finding, NO_LABEL, owned, replacing, RowList, type Check, type HealthInput } from './check.ts'
import { words } from './words.ts'
import { percent, plural } from './say.ts'

/** Different values of a column that are counted; with more it is text or an identifier. */
const VALUES_LIMIT = 5000
/** How much of what the most frequent label leaves open a column must settle. */
const GAIN_LEAST = 0.9
/** Share of the rows whose value another row has too; values of their own say nothing about other rows. */
const SHARED_LEAST = 0.5
const ROWS_LEAST = 30
/** Share of the texts that hold their own label, and most that hold another row's. */
const NAMED_LEAST = 0.8
const OTHERS_MOST = 0.3
/** Characters of a name. */
const NAME_LEAST = 3

type Counts = Map<string, Map<number, number>>

export function labelLeakageCheck(input: HealthInput): Check | null {
  const { label } = input
  if (label === null) return null
  const columns = input.columns.map((_, place): Counts | null =>
    place === label || input.texts.includes(place) ? null : new Map(),
  )
  const named = new RowList()
  let others = 0
  let labelled = 0
  let before = NO_LABEL
  const namesOf: string[][] = []
  const nameOf = (label: number): string[] => (namesOf[label] ??= wordsOfName(input.labels.names[label]!))

  return {
    kinds: ['labelLeakage'],
    row(row) {
      if (row.label === NO_LABEL) return
      labelled++
      for (const [place, counts] of columns.entries()) {
        if (!counts) continue
        const value = (row.cells[place] ?? '').trim()
        const known = counts.get(value)
        if (known) known.set(row.label, (known.get(row.label) ?? 0) + 1)
        else if (counts.size === VALUES_LIMIT) columns[place] = null
        else counts.set(owned(value), new Map([[row.label, 1]]))
      }
      if (input.texts.length === 0) return
      const { names } = input.labels
      if (holds(row.words, nameOf(row.label))) named.add(row.index, `holds “${names[row.label]!}”`)
      // Against chance: the label of the last row that had another one.
      if (before !== NO_LABEL && before !== row.label && holds(row.words, nameOf(before))) others++
      before = row.label
    },
    finish() {
      if (labelled < ROWS_LEAST || input.labels.tooMany || input.labels.names.length < 2) return []
      const most = Math.max(...input.labels.counts) / labelled
      const found = columns.flatMap((counts, place) => {
        if (!counts || counts.size < 2) return []
        const { right, shared } = leaveOneOut(counts)
        const gain = (right / labelled - most) / (1 - most)
        if (gain < GAIN_LEAST || shared / labelled < SHARED_LEAST) return []
        const column = input.columns[place]!
        return [
          finding(input, {
            kind: 'labelLeakage',
            column,
            severity: 'fix',
            title: `“${column}” gives the label away in ${percent(right / labelled)} of the rows`,
            explanation: `Knowing “${column}” is enough to tell the label; always taking the most frequent label would be right in ${percent(most)}. If it is part of the text or a template, the model copies it and fails where it is absent. Leave it out, unless it is there in use too.`,
            table: {
              columns: [column, 'Label', 'Rows'],
              rows: [...counts].slice(0, 20).map(([value, of]) => {
                const [best, rows] = [...of].sort((a, b) => b[1] - a[1])[0]!
                return [value, input.labels.names[best]!, rows]
              }),
            },
            remedies: [
              {
                label: 'Leave the column out',
                steps: [{ kind: 'columns', columns: [column], how: 'drop' }],
              },
            ],
          }),
        ]
      })
      if (named.count / labelled >= NAMED_LEAST && others / labelled <= OTHERS_MOST)
        found.push(
          finding(input, {
            id: 'labelLeakage:text',
            kind: 'labelLeakage',
            severity: 'check',
            title: `${plural(named.count, 'text')} (${percent(named.count / labelled)}) hold the name of their label`,
            explanation:
              'The answer stands in the question. If that is not so in use, the model learns to look for the word and nothing else.',
            count: named.count,
            rows: named.rows,
            remedies: [
              {
                label: 'Take the names of the labels out',
                steps: [
                  replacing(
                    input,
                    input.labels.names.filter((_, label) => nameOf(label).length > 0),
                  ),
                ],
              },
            ],
          }),
        )
      return found
    },
  }
}

/** Rows whose label the other rows with the same value have most often; a tie counts as wrong. */
function leaveOneOut(counts: Counts): { right: number; shared: number } {
  let right = 0
  let shared = 0
  for (const of of counts.values()) {
    const rows = [...of.values()]
    const total = rows.reduce((sum, number) => sum + number, 0)
    if (total < 2) continue
    shared += total
    const [first = 0, second = 0] = rows.toSorted((a, b) => b - a)
    // Only a row of the most frequent label can be foretold, and only if it stays so without the row itself.
    if (first - 1 > second) right += first
  }
  return { right, shared }
}

/** The words of a label's name; none where it is too short for a text to mean it. */
function wordsOfName(name: string): string[] {
  const found = words(name)
  return found.join(' ').length >= NAME_LEAST ? found : []
}

/** Whether the words of a name stand in a text one after the other. */
function holds(text: readonly string[], name: readonly string[]): boolean {
  return name.length > 0 && text.some((_, at) => name.every((word, i) => text[at + i] === word))
}

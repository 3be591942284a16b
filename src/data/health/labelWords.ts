// The words most tied to each label. Words are counted in one pass with bounded memory: where there are too many, the
// rarest are forgotten (lossy counting, Manku & Motwani 2002).
import { finding, NO_LABEL, owned, type Check, type HealthInput } from './check.ts'
import { Z95 } from './intervals.ts'
import { logOdds } from './logOdds.ts'
import { percent, plural, some } from './say.ts'

const WORDS_KEPT = 40_000
/** Fewer rows with a word than this say nothing. */
const ROWS_LEAST = 3
const SHOWN = 8
const LABELS_SHOWN = 50
/** A word that nearly all rows of one label have, and nearly no others, is a shortcut. */
const SHORTCUT_INSIDE = 0.9
const SHORTCUT_OUTSIDE = 0.01
const SHORTCUT_ROWS = 20

interface Word {
  total: number
  /** The last row that had it. */
  row: number
  /** Occurrences, and rows with it, by label; holes where there are none. */
  times: number[]
  rows: number[]
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

export function labelWordsCheck(input: HealthInput): Check | null {
  if (input.label === null || input.texts.length === 0) return null
  let words = new Map<string, Word>()
  const totals: number[] = []
  let least = 0
  return {
    kinds: ['labelWords'],
    row(row) {
      const { label } = row
      if (label === NO_LABEL) return
      totals[label] = (totals[label] ?? 0) + row.words.length
      for (const text of row.words) {
        let word = words.get(text)
        if (!word) words.set(owned(text), (word = { total: 0, row: -1, times: [], rows: [] }))
        word.total++
        word.times[label] = (word.times[label] ?? 0) + 1
        if (word.row !== row.index) word.rows[label] = (word.rows[label] ?? 0) + 1
        word.row = row.index
      }
      while (words.size > WORDS_KEPT) {
        least++
        const limit = least
        words = new Map([...words].filter(([, { total }]) => total > limit))
      }
    },
    finish() {
      const { names, counts, tooMany } = input.labels
      if (names.length < 2 || tooMany) return []
      const classes = names.length
      const entries = [...words].filter(([text, { rows }]) => sum(rows) >= ROWS_LEAST && !/^\d+$/.test(text))
      if (entries.length === 0) return []
      const table = new Float64Array(entries.length * classes)
      for (const [i, [, { times }]] of entries.entries())
        times.forEach((number, label) => (table[i * classes + label] = number))
      const data = {
        counts: table,
        classes,
        totals: Float64Array.from({ length: classes }, (_, label) => totals[label] ?? 0),
      }
      const order = names.map((_, label) => label).sort((a, b) => counts[b]! - counts[a]!)
      const rowsInAll = sum(counts)
      const shortcuts: string[] = []
      const lines: (string | number)[][] = []
      for (const label of order.slice(0, LABELS_SHOWN)) {
        const z = logOdds(data, label)
        const best = entries
          .map((_, i) => i)
          .filter((i) => z[i]! > Z95)
          .sort((a, b) => z[b]! - z[a]!)
          .slice(0, SHOWN)
        if (best.length) lines.push([names[label]!, best.map((i) => entries[i]![0]).join(', ')])
        for (const i of best) {
          const { rows } = entries[i]![1]
          const inside = rows[label] ?? 0
          const all = sum(rows)
          const outside = (all - inside) / Math.max(1, rowsInAll - counts[label]!)
          if (
            counts[label]! >= SHORTCUT_ROWS &&
            inside / counts[label]! >= SHORTCUT_INSIDE &&
            outside <= SHORTCUT_OUTSIDE
          )
            shortcuts.push(`“${entries[i]![0]}” in ${percent(inside / counts[label]!)} of “${names[label]!}”`)
        }
      }
      if (lines.length === 0) return []
      return [
        finding(input, {
          kind: 'labelWords',
          severity: shortcuts.length ? 'check' : 'know',
          title: shortcuts.length
            ? `${plural(shortcuts.length, 'word')} nearly ${shortcuts.length === 1 ? 'gives' : 'give'} a label away`
            : 'The words that set the labels apart',
          explanation: `${shortcuts.length ? `${some(shortcuts, 3)}, and in at most ${percent(SHORTCUT_OUTSIDE)} of the other rows. ` : ''}These words stand beside a label more often than chance would have it (log-odds with a Dirichlet prior). If a word has nothing to do with the meaning of its label, the model will use it all the same.`,
          table: { columns: ['Label', 'Words, the most telling first'], rows: lines },
        }),
      ]
    },
  }
}

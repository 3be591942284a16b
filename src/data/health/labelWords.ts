// The words most tied to each label, counted in one pass with bounded memory (labelledWords.ts).
import type { Finding } from '../../protocol/health.ts'
import { finding, NO_LABEL, replacing, RowList, type Check, type HealthInput } from './check.ts'
import { Z95 } from './intervals.ts'
import { LabelledWords } from './labelledWords.ts'
import { logOdds } from './logOdds.ts'
import { percent, plural, some } from './say.ts'

/** Fewer rows with a word than this say nothing. */
const ROWS_LEAST = 3
const SHOWN = 8
const LABELS_SHOWN = 50
/** A word that nearly all rows of one label have, and nearly no others, is a shortcut. */
const SHORTCUT_INSIDE = 0.9
const SHORTCUT_OUTSIDE = 0.01
const SHORTCUT_ROWS = 20

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** A word that nearly gives a label away. */
interface Shortcut {
  word: string
  label: number
  /** Share of the label's rows that have it. */
  share: number
}

export function labelWordsCheck(input: HealthInput): Check | null {
  if (input.label === null || input.texts.length === 0) return null
  let words = new LabelledWords()
  /** Words of the rows of each label. */
  const totals: number[] = []
  const lines: (string | number)[][] = []
  const shortcuts: Shortcut[] = []
  const list = new RowList()
  return {
    kinds: ['labelWords'],
    row(row) {
      const { label } = row
      if (label === NO_LABEL) return
      totals[label] = (totals[label] ?? 0) + row.words.length
      words.add(row.words, label, row.index)
    },
    between() {
      judge()
      words = new LabelledWords()
      return shortcuts.length > 0 ? 1 : 0
    },
    again(row) {
      const found = shortcuts
        .filter(({ word, label }) => label === row.label && row.words.includes(word))
        .map(({ word }) => `“${word}”`)
      if (found.length > 0) list.add(row.index, some(found, 3))
    },
    finish: () => (lines.length === 0 ? [] : [describe()]),
  }

  /** Finds the words of each label, and which of them give it away. */
  function judge(): void {
    const { names, counts, tooMany } = input.labels
    if (names.length < 2 || tooMany) return
    const entries = words.words().filter(({ text, rows }) => rows >= ROWS_LEAST && !/^\d+$/.test(text))
    if (entries.length === 0) return
    const all = names.reduce((sum, _, label) => sum + (totals[label] ?? 0), 0)
    const order = names.map((_, label) => label).sort((a, b) => counts[b]! - counts[a]!)
    const rowsInAll = sum(counts)
    for (const label of order.slice(0, LABELS_SHOWN)) {
      // The label against all others together.
      const data = new Float64Array(2 * entries.length)
      for (const [i, entry] of entries.entries()) {
        data[2 * i] = words.of(entry, label).times
        data[2 * i + 1] = entry.total - data[2 * i]!
      }
      const inLabel = totals[label] ?? 0
      const z = logOdds({ counts: data, classes: 2, totals: Float64Array.of(inLabel, all - inLabel) }, 0)
      const best = entries
        .map((_, i) => i)
        .filter((i) => z[i]! > Z95)
        .sort((a, b) => z[b]! - z[a]!)
        .slice(0, SHOWN)
      if (best.length) lines.push([names[label]!, best.map((i) => entries[i]!.text).join(', ')])
      for (const i of best) {
        const { text, rows } = entries[i]!
        const inside = words.of(entries[i]!, label).rows
        const outside = (rows - inside) / Math.max(1, rowsInAll - counts[label]!)
        const share = inside / counts[label]!
        if (counts[label]! >= SHORTCUT_ROWS && share >= SHORTCUT_INSIDE && outside <= SHORTCUT_OUTSIDE)
          shortcuts.push({ word: text, label, share })
      }
    }
  }

  function describe(): Finding {
    const { names } = input.labels
    const given = shortcuts.map(({ word }) => word)
    const said = shortcuts.map(
      ({ word, label, share }) => `“${word}” in ${percent(share)} of “${names[label]!}”`,
    )
    return finding(input, {
      kind: 'labelWords',
      severity: said.length ? 'check' : 'know',
      title: said.length
        ? `${plural(said.length, 'word')} nearly ${said.length === 1 ? 'gives' : 'give'} a label away`
        : 'The words that set the labels apart',
      explanation: `${said.length ? `${some(said, 3)}, and in at most ${percent(SHORTCUT_OUTSIDE)} of the other rows. ` : ''}These words stand beside a label more often than chance would have it (log-odds with a Dirichlet prior). If a word has nothing to do with the meaning of its label, the model will use it all the same.`,
      count: list.count,
      rows: list.rows,
      table: { columns: ['Label', 'Words, the most telling first'], rows: lines },
      remedies: said.length
        ? [
            {
              label: said.length === 1 ? 'Take the word out' : 'Take the words out',
              steps: [replacing(input, given)],
            },
          ]
        : [],
    })
  }
}

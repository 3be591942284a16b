// Cells with nothing in them, or only a word that stands for nothing, column by column; and rows that are all empty.
import type { Finding } from '../../protocol/health.ts'
import type { RecipeStep } from '../../protocol/recipe.ts'
import { bySize, finding, RowList, type Check, type HealthInput } from './check.ts'
import { percent, plural } from './say.ts'

/** What tables write where a value is missing (pandas' and spreadsheets' own). */
const STANDS_FOR_NOTHING = /^(?:n\/?a|nan|null|none|nil|-+|\?+|#n\/a|undefined|missing)$/i

export function missingCheck(input: HealthInput): Check {
  const columns = input.columns.map(() => ({
    empty: 0,
    list: new RowList(),
    words: new Map<string, number>(),
  }))
  const used = new Set([...input.texts, ...(input.label === null ? [] : [input.label])])
  return {
    kinds: ['missing'],
    row({ cells, index }) {
      for (const [place, column] of columns.entries()) {
        const cell = (cells[place] ?? '').trim()
        if (cell === '') {
          column.empty++
          column.list.add(index)
        } else if (cell.length <= 9 && STANDS_FOR_NOTHING.test(cell)) {
          column.words.set(cell, (column.words.get(cell) ?? 0) + 1)
          column.list.add(index, `says “${cell}”`)
        }
      }
    },
    finish: () =>
      columns.flatMap(({ empty, list, words }, place) => {
        if (list.count === 0) return []
        const name = input.columns[place]!
        const said = [...words].sort((a, b) => b[1] - a[1]).map(([word, times]) => `“${word}” (${times})`)
        const what = said.length
          ? `${plural(empty, 'cell')} empty; others only say ${said.slice(0, 4).join(', ')}, which a model would learn as a text.`
          : 'The cells are empty or only white space.'
        const why = used.has(place)
          ? 'The column is used in training: such a row teaches nothing, or teaches to answer nothing.'
          : 'The column is not used in training.'
        const emptied: RecipeStep[] =
          words.size === 0
            ? []
            : [
                {
                  kind: 'mapLabels',
                  column: name,
                  map: [...words.keys()].map((word): [string, string] => [word, '']),
                },
              ]
        const remedies: Finding['remedies'] = [
          { label: 'Drop rows without it', steps: [...emptied, { kind: 'dropMissing', columns: [name] }] },
          ...(emptied.length ? [{ label: 'Empty these words', steps: emptied }] : []),
        ]
        return [
          finding(input, {
            kind: 'missing',
            column: name,
            severity: !used.has(place) ? 'know' : bySize(list.count, input.rows, 0.001),
            title: `${plural(list.count, 'row')} (${percent(list.count / input.rows)}) without a value in “${name}”`,
            explanation: `${what} ${why}`,
            count: list.count,
            rows: list.rows,
            remedies,
          }),
        ]
      }),
  }
}

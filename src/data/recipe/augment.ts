// Changed copies of training rows. A copy is only added where its length stays near its row's and no row, of any part, has
// the same text: a copy of a test row in training would be a leak.
import { METHODS, paraphrase, TEMPLATES } from '../augment/methods.ts'
import { compileCondition } from '../expression.ts'
import type { AugmentStep } from '../../protocol/recipe.ts'
import { placeOf } from './columns.ts'
import { Draw } from './draw.ts'
import { eachRow, type Flow, type FlowRow, type Stage, type StepContext } from './flow.ts'
import { RowKeys } from './rowKeys.ts'

export const DEFAULT_STRENGTH = 0.1
/** Length of a copy in characters, relative to its row's. */
export const DEFAULT_LENGTH: readonly [number, number] = [0.5, 2]
/** Tries for each copy that is asked for. */
const TRIES = 3

export async function augment(step: AugmentStep, input: Flow, context: StepContext): Promise<Stage> {
  const { columns } = input
  const place = placeOf(columns, step.column)
  const wanted = step.where === undefined ? null : compileCondition(step.where, columns)
  const vary = step.method === 'paraphrase' ? paraphrase(step.templates ?? TEMPLATES) : METHODS[step.method]
  const [least, most] = step.length ?? DEFAULT_LENGTH
  const { copies = 1, strength = DEFAULT_STRENGTH } = step

  const there = new RowKeys()
  await eachRow(input, context, ({ cells }) => void there.number(same(cells[place] ?? '')))

  const copiesOf = (row: FlowRow, made: RowKeys): FlowRow[] => {
    const text = row.cells[place] ?? ''
    const draw = new Draw(context.seed, 'augment', context.salt, row.id)
    const found: FlowRow[] = []
    for (let tries = copies * TRIES; found.length < copies && tries > 0; tries--) {
      const varied = vary(text, strength, draw)
      if (varied === null) break
      if (varied.trim() === '' || varied.length < text.length * least || varied.length > text.length * most)
        continue
      const key = same(varied)
      if (there.has(key) || made.has(key)) continue
      made.number(key)
      found.push({ cells: row.cells.with(place, varied), id: row.id, synthetic: true })
    }
    return found
  }
  return {
    columns,
    walk: () => {
      const made = new RowKeys()
      return {
        row: (row) => {
          if (row.synthetic || !context.isTraining(row.id)) return row
          if ((row.cells[place] ?? '').trim() === '' || (wanted && !wanted(row.cells))) return row
          const found = copiesOf(row, made)
          return found.length > 0 ? [row, ...found] : row
        },
      }
    },
  }
}

/**
 * Texts that count as the same. Letter case counts, for noise may change nothing else; white space does not.
 */
function same(text: string): string {
  return text.trim().replace(/\s+/g, ' ')
}

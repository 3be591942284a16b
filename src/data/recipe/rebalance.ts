// Training rows of frequent values leave (under-sampling), or those of rare ones are repeated (over-sampling).
import type { RebalanceStep } from '../../protocol/recipe.ts'
import { words } from '../rng.ts'
import { placeOf } from './columns.ts'
import { eachRow, rowStage, type Flow, type Stage, type StepContext } from './flow.ts'

/** Copies of one row, where the step does not say. */
export const MOST_COPIES = 10

export async function rebalance(step: RebalanceStep, input: Flow, context: StepContext): Promise<Stage> {
  const { columns } = input
  const place = placeOf(columns, step.column)
  const members = new Map<string, { index: number; rank: number }[]>()
  await eachRow(input, context, ({ cells, id, synthetic }, index) => {
    const value = (cells[place] ?? '').trim()
    if (value === '' || !(synthetic || context.isTraining(id))) return
    const member = { index, rank: rankOf(context, id) }
    const list = members.get(value)
    if (list) list.push(member)
    else members.set(value, [member])
  })
  const sizes = [...members.values()].map((list) => list.length)
  const edge = (values: number[]): number =>
    values.reduce((a, b) => (step.method === 'over' ? Math.max(a, b) : Math.min(a, b)), values[0] ?? 0)
  const target = step.to ?? edge(sizes)
  /** Rows that a value should have. With shares, as many rows in all as leave the value that is furthest off as it is. */
  const wantedRows = new Map<string, number>()
  if (step.shares) {
    const known = step.shares.filter(([value]) => members.has(value.trim()))
    const sum = known.reduce((total, [, share]) => total + share, 0)
    const all =
      step.to ?? edge(known.map(([value, share]) => (members.get(value.trim())!.length * sum) / share))
    for (const [value, share] of known)
      wantedRows.set(value.trim(), Math.max(1, Math.round((all * share) / sum)))
  }
  /** How often each training row is there afterwards. */
  const times = new Map<number, number>()
  for (const [value, list] of members) {
    const rows = step.shares ? wantedRows.get(value) : target
    if (rows === undefined) continue
    list.sort((a, b) => a.rank - b.rank || a.index - b.index)
    for (const [i, { index }] of list.entries())
      if (step.method === 'under') times.set(index, i < rows ? 1 : 0)
      else {
        const wanted = Math.floor(rows / list.length) + (i < rows % list.length ? 1 : 0)
        times.set(index, Math.max(1, Math.min(wanted, 1 + (step.most ?? MOST_COPIES))))
      }
  }
  return rowStage(columns, (row, index) => {
    const count = times.get(index) ?? 1
    if (count === 0) return null
    if (count === 1) return row
    return [row, ...Array.from({ length: count - 1 }, () => ({ ...row, synthetic: true }))]
  })
}

/** A row's place in the draw; it does not depend on the rows around it. */
function rankOf({ seed, salt }: StepContext, id: number): number {
  return words({ seed, purpose: 'balance', step: salt, layer: id }, 1)[0]!
}

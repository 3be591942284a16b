// Labels: the same text with different ones is resolved, and values are renamed or merged.
import type { MapLabelsStep, ResolveConflictsStep } from '../../protocol/recipe.ts'
import { placeOf, placesOf } from './columns.ts'
import { eachRow, rowStage, type Flow, type Stage, type StepContext } from './flow.ts'
import { joined, RowKeys } from './rowKeys.ts'

/** What a text's labels come to: one for all its rows, or none, and then the rows leave. */
type Verdict = string | null

export async function resolveConflicts(
  step: ResolveConflictsStep,
  input: Flow,
  context: StepContext,
): Promise<Stage> {
  const { columns } = input
  const places = placesOf(columns, step.columns)
  const label = placeOf(columns, step.label)
  const keys = new RowKeys()
  const counts: Map<string, number>[] = []
  // Rows without any text have no text in common.
  const blank = (cells: readonly string[]): boolean =>
    places.every((place) => place === label || (cells[place] ?? '').trim() === '')
  await eachRow(input, context, ({ cells }) => {
    const value = (cells[label] ?? '').trim()
    if (value === '' || blank(cells)) return
    const group = (counts[keys.number(joined(cells, places))] ??= new Map())
    group.set(value, (group.get(value) ?? 0) + 1)
  })
  const verdicts = new Map<number, Verdict>()
  for (const [group, labels] of counts.entries())
    if (labels.size > 1) verdicts.set(group, verdict(labels, step.how))
  return rowStage(columns, (row) => {
    const value = (row.cells[label] ?? '').trim()
    if (value === '' || blank(row.cells)) return row
    const found = verdicts.get(keys.number(joined(row.cells, places)))
    if (found === undefined || found === value) return row
    return found === null ? null : { ...row, cells: row.cells.with(label, found) }
  })
}

/** The labels are in the order in which they were met. */
function verdict(labels: ReadonlyMap<string, number>, how: ResolveConflictsStep['how']): Verdict {
  if (how === 'drop') return null
  const ordered = [...labels]
  if (how === 'first') return ordered[0]![0]
  const most = Math.max(...labels.values())
  const best = ordered.filter(([, count]) => count === most)
  return best.length === 1 ? best[0]![0] : null
}

export function mapLabels(step: MapLabelsStep, { columns }: Flow): Stage {
  const place = placeOf(columns, step.column)
  const map = new Map(step.map)
  const { others = 'keep' } = step
  return rowStage(columns, (row) => {
    const value = row.cells[place] ?? ''
    const named = map.get(value.trim())
    if (named === undefined && others === 'drop') return null
    const next = named ?? (typeof others === 'object' ? others.value : value)
    return next === value ? row : { ...row, cells: row.cells.with(place, next) }
  })
}

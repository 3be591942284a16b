// Near-duplicates: of each group of rows that say almost the same, one stays.
import { NEAR_THRESHOLD } from '../../protocol/health.ts'
import type { DedupeNearStep } from '../../protocol/recipe.ts'
import { placesOf } from './columns.ts'
import { Keeper } from './dedupe.ts'
import { eachRow, rowStage, type Flow, type Stage, type StepContext } from './flow.ts'
import { nearGroups } from './nearGroups.ts'

export async function dedupeNear(step: DedupeNearStep, input: Flow, context: StepContext): Promise<Stage> {
  const places = placesOf(input.columns, step.columns)
  const groups = await nearGroups(input, places, step.threshold ?? NEAR_THRESHOLD, context, step.shingle)
  const keeper = new Keeper(step.keep ?? 'first')
  await eachRow(input, context, ({ cells }, index) => keeper.add(groups[index]!, index, cells))
  const kept = keeper.kept()
  return rowStage(input.columns, (row, index) => (kept.has(index) ? row : null))
}

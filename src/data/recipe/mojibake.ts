// The step that mends broken encodings; how is in ../mojibake.ts.
import type { FixMojibakeStep } from '../../protocol/recipe.ts'
import { fixMojibake } from '../mojibake.ts'
import { placesOf, withCells } from './columns.ts'
import { rowStage, type Flow, type Stage } from './flow.ts'

export function mendEncoding(step: FixMojibakeStep, { columns }: Flow): Stage {
  const places = placesOf(columns, step.columns)
  return rowStage(columns, (row) => {
    const cells = withCells(row.cells, places, fixMojibake)
    return cells === row.cells ? row : { ...row, cells }
  })
}

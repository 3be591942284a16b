// The history of a run as it grows: new entries replace those of the same step, which a resumed run sends again.
import type { HistoryEntry } from '../protocol/run.ts'

/** Both lists in order of step; where both have a step, the new entry wins, keeping a validation only the old one has. */
export function mergeHistory(old: HistoryEntry[], entries: HistoryEntry[]): HistoryEntry[] {
  const first = entries[0]
  if (!first) return old
  const last = old.at(-1)
  if (!last || last.step < first.step) return [...old, ...entries]
  const bySteps = new Map(old.map((entry) => [entry.step, entry]))
  for (const entry of entries) bySteps.set(entry.step, { ...bySteps.get(entry.step), ...entry })
  return [...bySteps.values()].sort((a, b) => a.step - b.step)
}

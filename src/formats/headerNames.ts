// Names of columns that can be told apart: trimmed, never empty, never twice. Whatever they are ("__proto__" is a name like
// any other), they are only used as values and as own properties.
import type { Problem } from '../protocol/data.ts'

export function headerNames(
  cells: readonly string[],
  report: (kind: Problem['kind'], message: string) => void,
): string[] {
  const given = cells.map((cell) => cell.trim())
  const taken = new Set<string>(given.filter((name) => name !== ''))
  const used = new Set<string>()
  return given.map((name, index) => {
    if (name !== '' && !used.has(name)) {
      used.add(name)
      return name
    }
    const fresh = firstFree(name === '' ? `column ${index + 1}` : name, name !== '', taken)
    taken.add(fresh)
    used.add(fresh)
    report(
      'header',
      name === ''
        ? `Column ${index + 1} has no name; it is called "${fresh}".`
        : `The name "${name}" is given twice; column ${index + 1} is called "${fresh}".`,
    )
    return fresh
  })
}

function firstFree(base: string, numbered: boolean, taken: ReadonlySet<string>): string {
  if (!numbered && !taken.has(base)) return base
  for (let n = 2; ; n++) if (!taken.has(`${base} (${n})`)) return `${base} (${n})`
}

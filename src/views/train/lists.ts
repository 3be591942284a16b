// Settings that are lists, as they are typed and read back: block numbers with ranges, module names.

/** "0-3, 7" as [0, 1, 2, 3, 7]; an empty text as null, which stands for all blocks. */
export function readLayers(
  text: string,
  layers: number,
): { value: number[] | null; problem: null } | { problem: string } {
  const parts = text.split(/[\s,;]+/).filter(Boolean)
  if (!parts.length) return { value: null, problem: null }
  const found = new Set<number>()
  for (const part of parts) {
    const match = /^(\d+)(?:[-–](\d+))?$/.exec(part)
    if (!match) return { problem: `"${part}" is no block number. Write numbers or ranges, such as 0-3, 7.` }
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])]
    if (last < first) return { problem: `The range ${part} ends before it begins.` }
    if (last >= layers)
      return { problem: `There is no block ${last}: this base has blocks 0 to ${layers - 1}.` }
    for (let layer = first; layer <= last; layer++) found.add(layer)
  }
  return { value: [...found].sort((a, b) => a - b), problem: null }
}

/** The same written back, neighbours as ranges. */
export function writeLayers(layers: readonly number[] | null): string {
  const runs: [number, number][] = []
  for (const layer of layers ?? []) {
    const last = runs.at(-1)
    if (last && layer === last[1] + 1) last[1] = layer
    else runs.push([layer, layer])
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ')
}

/** Names between commas or spaces; none stands for the default. */
export function readNames(text: string): string[] | undefined {
  const names = [...new Set(text.split(/[\s,;]+/).filter(Boolean))]
  return names.length ? names : undefined
}

export function writeNames(names: readonly string[]): string {
  return names.join(', ')
}

// What changed between two texts, word by word: a longest common subsequence, so that what stayed is kept together.

export interface WordChange {
  kind: 'same' | 'removed' | 'added'
  /** Place in the words before, and after. */
  before: number | null
  after: number | null
}

/** Removed words come before those that took their place. */
export function diffWords(before: readonly string[], after: readonly string[]): WordChange[] {
  const [n, m] = [before.length, after.length]
  // common[i, j]: longest common subsequence of before from i on and after from j on.
  const width = m + 1
  const common = new Uint16Array((n + 1) * width)
  for (let i = n - 1; i >= 0; i--)
    for (let j = m - 1; j >= 0; j--)
      common[i * width + j] =
        before[i] === after[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!)
  const changes: WordChange[] = []
  let [i, j] = [0, 0]
  while (i < n || j < m) {
    if (i < n && j < m && before[i] === after[j]) changes.push({ kind: 'same', before: i++, after: j++ })
    else if (i < n && (j === m || common[(i + 1) * width + j]! >= common[i * width + j + 1]!))
      changes.push({ kind: 'removed', before: i++, after: null })
    else changes.push({ kind: 'added', before: null, after: j++ })
  }
  return changes
}

// Which words set a class apart: log-odds with an informative Dirichlet prior (Monroe, Colaresi & Quinn 2008,
// "Fightin' Words"), as z-scores. The prior is the words of all classes, so that rare words need more evidence.

export interface WordCounts {
  /** Of each word by class: [word, class]. */
  counts: Float64Array
  classes: number
  /** Words of each class, those without a count of their own included. */
  totals: Float64Array
}

/** Words that the prior weighs as much as. */
export const PRIOR_WORDS = 1000

/** z of each word in a class against all other classes. */
export function logOdds(
  { counts, classes, totals }: WordCounts,
  label: number,
  prior = PRIOR_WORDS,
): Float64Array {
  const words = counts.length / classes
  const all = totals.reduce((sum, number) => sum + number, 0)
  const inside = totals[label]!
  const outside = all - inside
  const z = new Float64Array(words)
  for (let word = 0; word < words; word++) {
    let total = 0
    for (let c = 0; c < classes; c++) total += counts[word * classes + c]!
    const alpha = (prior * total) / all
    const here = counts[word * classes + label]! + alpha
    const there = total - counts[word * classes + label]! + alpha
    const delta = Math.log(here / (inside + prior - here)) - Math.log(there / (outside + prior - there))
    z[word] = delta / Math.sqrt(1 / here + 1 / there)
  }
  return z
}

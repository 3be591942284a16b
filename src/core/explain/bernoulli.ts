// Confidence bounds of a share by relative entropy, as KL-LUCB uses them (Kaufmann and Kalyanakrishnan 2013,
// "Information complexity in bandit subset selection").

/** Relative entropy of two coins, in nats. */
export function klBernoulli(p: number, q: number): number {
  const term = (a: number, b: number) => (a === 0 ? 0 : a * Math.log(a / b))
  return term(p, q) + term(1 - p, 1 - q)
}

const HALVINGS = 40

/** The largest q >= p with kl(p, q) <= level. */
export function upperBound(p: number, level: number): number {
  return bound(p, 1, level)
}

/** The smallest q <= p with kl(p, q) <= level. */
export function lowerBound(p: number, level: number): number {
  return bound(p, 0, level)
}

function bound(p: number, end: number, level: number): number {
  let inside = p
  let outside = end
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (inside + outside) / 2
    if (klBernoulli(p, middle) > level) outside = middle
    else inside = middle
  }
  return inside
}

/** Exploration rate of KL-LUCB after round t of `arms` candidates, with the constants of the paper. */
export function explorationRate(arms: number, t: number, delta: number): number {
  const rate = Math.log((405.5 * arms * t ** 1.1) / delta)
  return rate + Math.log(rate)
}

// L-BFGS (Nocedal 1980) with a backtracking line search, for small smooth convex functions.

const MEMORY = 10
/** Armijo's share of the slope, and halvings before the search gives up. */
const SUFFICIENT = 1e-4
const HALVINGS = 40

/** Returns f(x) and writes its gradient. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number

/** Where no element of the gradient is above the tolerance, or after so many iterations. */
export function minimise(
  f: Objective,
  start: Float64Array,
  { tolerance, iterations }: { tolerance: number; iterations: number },
): Float64Array {
  let x = start.slice()
  let g = new Float64Array(x.length)
  let value = f(x, g)
  const steps: { s: Float64Array; y: Float64Array; rho: number }[] = []
  for (let i = 0; i < iterations && largest(g) > tolerance; i++) {
    const direction = descent(g, steps)
    const slope = dot(direction, g)
    let step = steps.length === 0 ? 1 / Math.max(1, Math.sqrt(dot(g, g))) : 1
    const next = new Float64Array(x.length)
    const gradient = new Float64Array(x.length)
    let halvings = 0
    let found: number
    do {
      for (let k = 0; k < x.length; k++) next[k] = x[k]! + step * direction[k]!
      found = f(next, gradient)
      step /= 2
    } while (!(found <= value + SUFFICIENT * 2 * step * slope) && ++halvings < HALVINGS)
    if (halvings === HALVINGS) return x
    const s = next.map((element, k) => element - x[k]!)
    const y = gradient.map((element, k) => element - g[k]!)
    const curvature = dot(s, y)
    if (curvature > 0) {
      steps.push({ s, y, rho: 1 / curvature })
      if (steps.length > MEMORY) steps.shift()
    }
    ;[x, g, value] = [next, gradient, found]
  }
  return x
}

/** -H g by the two-loop recursion. */
function descent(
  g: Float64Array,
  steps: readonly { s: Float64Array; y: Float64Array; rho: number }[],
): Float64Array {
  const q = g.map((element) => -element)
  const alphas = steps.map(() => 0)
  for (let i = steps.length - 1; i >= 0; i--) {
    const { s, y, rho } = steps[i]!
    alphas[i] = rho * dot(s, q)
    y.forEach((element, k) => (q[k]! -= alphas[i]! * element))
  }
  const last = steps.at(-1)
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y))
    q.forEach((element, k) => (q[k] = element * scale))
  }
  steps.forEach(({ s, y, rho }, i) => {
    const beta = rho * dot(y, q)
    s.forEach((element, k) => (q[k]! += (alphas[i]! - beta) * element))
  })
  return q
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

const largest = (g: Float64Array): number => g.reduce((most, element) => Math.max(most, Math.abs(element)), 0)

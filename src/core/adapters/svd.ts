// Singular values of a few long rows, in float64, by one-sided Jacobi rotations (Hestenes 1958): rows are turned in pairs
// until all are orthogonal. Slower than other ways for large matrices and as exact as any for small ones.

export type Rows = readonly Float64Array[]

/** Largest cosine between two rows that counts as a right angle, and rounds after which it is good enough. */
const RIGHT_ANGLE = 1e-14
const SWEEPS = 40

/** Orthonormal rows that span the same space, by Gram-Schmidt done twice; what is dependent becomes zero. */
export function orthonormalRows(rows: Rows): Rows {
  const done: Float64Array[] = []
  for (const row of rows) {
    const own = Float64Array.from(row)
    const before = Math.sqrt(dot(own, own))
    for (let pass = 0; pass < 2; pass++) for (const other of done) subtract(own, other, dot(own, other))
    const length = Math.sqrt(dot(own, own))
    const dependent = length <= 1e-7 * before || length === 0
    for (let i = 0; i < own.length; i++) own[i] = dependent ? 0 : own[i]! / length
    done.push(own)
  }
  return done
}

/** M [k, n] = mix^T diag(values) right: values from large to small, `mix` and `right` as rows, one a value. */
export function singularRows(m: Rows): { values: Float64Array; mix: Rows; right: Rows } {
  const k = m.length
  const rows = m.map((row) => Float64Array.from(row))
  const turns = rows.map((_, i) => Float64Array.from({ length: k }, (__, j) => (i === j ? 1 : 0)))
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let turned = false
    for (let i = 0; i < k; i++) for (let j = i + 1; j < k; j++) turned = turnPair(rows, turns, i, j) || turned
    if (!turned) break
  }
  const lengths = rows.map((row) => Math.sqrt(dot(row, row)))
  const order = [...lengths.keys()].sort((a, b) => lengths[b]! - lengths[a]!)
  return {
    values: Float64Array.from(order, (i) => lengths[i]!),
    mix: order.map((i) => turns[i]!),
    right: order.map((i) => rows[i]!.map((value) => (lengths[i]! > 0 ? value / lengths[i]! : 0))),
  }
}

/** Turns rows i and j until they are orthogonal; whether they were not. */
function turnPair(rows: Float64Array[], turns: Float64Array[], i: number, j: number): boolean {
  const a = rows[i]!
  const b = rows[j]!
  const aa = dot(a, a)
  const bb = dot(b, b)
  const ab = dot(a, b)
  if (Math.abs(ab) <= RIGHT_ANGLE * Math.sqrt(aa * bb)) return false
  const zeta = (bb - aa) / (2 * ab)
  const tangent = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
  const cosine = 1 / Math.sqrt(1 + tangent * tangent)
  turn(a, b, cosine, cosine * tangent)
  turn(turns[i]!, turns[j]!, cosine, cosine * tangent)
  return true
}

function turn(a: Float64Array, b: Float64Array, cosine: number, sine: number): void {
  for (let n = 0; n < a.length; n++) {
    const x = a[n]!
    const y = b[n]!
    a[n] = cosine * x - sine * y
    b[n] = sine * x + cosine * y
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function subtract(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! - factor * b[i]!
}

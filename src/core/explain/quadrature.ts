// Gauss-Legendre quadrature on [0, 1]: nodes by Newton's method on the Legendre polynomial (Press et al., Numerical Recipes 4.6).

export function gaussLegendre(points: number): { node: number; weight: number }[] {
  return Array.from({ length: points }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (points + 0.5))
    let derivative = 1
    for (let iteration = 0; iteration < 100; iteration++) {
      let [previous, current] = [1, x]
      for (let k = 2; k <= points; k++)
        [previous, current] = [current, ((2 * k - 1) * x * current - (k - 1) * previous) / k]
      derivative = (points * (x * current - previous)) / (x * x - 1)
      const change = current / derivative
      x -= change
      if (Math.abs(change) < 1e-15) break
    }
    return { node: (1 - x) / 2, weight: 1 / ((1 - x * x) * derivative * derivative) }
  })
}

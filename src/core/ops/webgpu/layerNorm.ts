// LayerNorm: one workgroup a row; the variance from the centred numbers, as float32 asks for. The formulas are those of
// reference/layerNorm.ts.
import { dispose, type Tensor } from '@tensorflow/tfjs-core'
import { columnSums, weightedColumnSums } from './columns.ts'
import { eachElement, rowKernel } from './rowKernel.ts'
import { run } from './runner.ts'

/** Declares `centre` and `rho` of the row. */
const STATISTICS = `
    var sum = 0.0;
    ${eachElement('sum += x[at];')}
    let centre = meanOfThreads(sum);
    var squares = 0.0;
    ${eachElement('squares += (x[at] - centre) * (x[at] - centre);')}
    let rho = inverseSqrt(meanOfThreads(squares) + uniforms.eps);`

export function layerNorm(x: Tensor, w: Tensor, b: Tensor, eps: number, plus?: Tensor): Tensor {
  const code = `${STATISTICS}
    ${eachElement(`result[at] = (x[at] - centre) * rho * w[column] + b[column]${plus ? ' + plus[at]' : ''};`)}`
  return run(rowKernel('layerNorm', { x, w, b, ...(plus && { plus }) }, x, eps, code), x.shape)
}

export function layerNormBackward(dy: Tensor, x: Tensor, w: Tensor, eps: number, plus?: Tensor): Tensor {
  const code = `${STATISTICS}
    var slopes = 0.0;
    var products = 0.0;
    ${eachElement('slopes += w[column] * dy[at]; products += w[column] * dy[at] * (x[at] - centre) * rho;')}
    let level = meanOfThreads(slopes);
    let projection = meanOfThreads(products);
    ${eachElement(
      `result[at] = rho * (w[column] * dy[at] - level - (x[at] - centre) * rho * projection)${plus ? ' + plus[at]' : ''};`,
    )}`
  return run(rowKernel('layerNormBackward', { dy, x, w, ...(plus && { plus }) }, x, eps, code), x.shape)
}

export function layerNormWeightGradients(dy: Tensor, x: Tensor, eps: number): { dw: Tensor; db: Tensor } {
  const code = `${STATISTICS}
    if (localIndex == 0u) { result[2 * row] = centre; result[2 * row + 1] = rho; }`
  const rows = run(rowKernel('layerNormScales', { x }, x, eps, code), [x.shape[0]!, 2]) // [N, 2]
  const dw = weightedColumnSums(
    'layerNorm',
    { dy, x, rows },
    dy,
    'dy[at] * ((x[at] - rows[2 * row]) * rows[2 * row + 1])',
  )
  dispose(rows)
  return { dw, db: columnSums(dy) }
}

// RMSNorm: one workgroup a row. The formulas are those of reference/rmsNorm.ts.
import type { Tensor } from '@tensorflow/tfjs-core'
import { weightedColumnSums } from './columns.ts'
import { eachElement, rowKernel } from './rowKernel.ts'
import { run } from './runner.ts'

export function rmsNorm(x: Tensor, w: Tensor, eps: number, plus?: Tensor): Tensor {
  const code = `
    var squares = 0.0;
    ${eachElement('squares += x[at] * x[at];')}
    let rho = inverseSqrt(meanOfThreads(squares) + uniforms.eps);
    ${eachElement(`result[at] = x[at] * rho * w[column]${plus ? ' + plus[at]' : ''};`)}`
  return run(rowKernel('rmsNorm', { x, w, ...(plus && { plus }) }, x, eps, code), x.shape)
}

export function rmsNormBackward(dy: Tensor, x: Tensor, w: Tensor, eps: number, plus?: Tensor): Tensor {
  const code = `
    var squares = 0.0;
    var products = 0.0;
    ${eachElement('squares += x[at] * x[at]; products += w[column] * dy[at] * x[at];')}
    let rho = inverseSqrt(meanOfThreads(squares) + uniforms.eps);
    let projection = meanOfThreads(products) * rho * rho;
    ${eachElement(`result[at] = rho * (w[column] * dy[at] - x[at] * projection)${plus ? ' + plus[at]' : ''};`)}`
  return run(rowKernel('rmsNormBackward', { dy, x, w, ...(plus && { plus }) }, x, eps, code), x.shape)
}

export function rmsNormWeightGradient(dy: Tensor, x: Tensor, eps: number): Tensor {
  const code = `
    var squares = 0.0;
    ${eachElement('squares += x[at] * x[at];')}
    let rho = inverseSqrt(meanOfThreads(squares) + uniforms.eps);
    if (localIndex == 0u) { result[row] = rho; }`
  const rho = run(rowKernel('rmsNormScales', { x }, x, eps, code), [x.shape[0]!]) // [N]
  const dw = weightedColumnSums('rmsNorm', { dy, x, rho }, dy, 'dy[at] * (x[at] * rho[row])')
  rho.dispose()
  return dw
}

// What the norms share: one workgroup a row, sums over its threads.
import type { Tensor } from '@tensorflow/tfjs-core'
import { reductions } from './reductions.ts'
import { f32, i32, scratch, type Kernel } from './runner.ts'
import { DEFAULT, enables, rowSettings, sizeClass, SUBGROUPS } from './tuning/settings.ts'
import { settingFor } from './tuning/tuner.ts'

/** Threads of a row. */
const THREADS = 64
/** Rows that trying a setting out takes at most. */
const TRIED_ROWS = 1024

const MEAN = `
  fn meanOfThreads(value : f32) -> f32 { return sumOfThreads(value) / f32(uniforms.width); }
`

/** The row, moved inside where the last groups have none: barriers must be reached by all. */
export const ROW = `
    let row = min(groupIndex(), uniforms.rows - 1);
    let base = row * uniforms.width;
`

/** A loop over the thread's elements of the row: `at` in the tensor, `column` in the row. */
export function eachElement(code: string): string {
  return `
    for (var column = i32(localIndex); column < uniforms.width; column += ${THREADS}) {
      let at = base + column;
      ${code}
    }`
}

/** A kernel over the rows of x [N, d] with `main` between the braces; it may use `uniforms.eps`. */
export function rowKernel(
  name: string,
  inputs: Record<string, Tensor>,
  x: Tensor,
  eps: number,
  main: string,
  setting = rowSetting(x.shape as [number, number]),
): Kernel {
  const [rows, width] = x.shape as [number, number]
  return {
    name,
    variant: setting,
    inputs,
    uniforms: { rows: i32(rows), width: i32(width), eps: f32(eps) },
    workgroup: [THREADS, 1, 1],
    groups: rows,
    enable: enables(setting),
    code: `${reductions(THREADS, setting === SUBGROUPS)}${MEAN}
  fn main() {
    ${ROW}${main}
  }`,
  }
}

/** How rows of this width are added up: tried out on one sum and one multiplication, as in RMSNorm. */
function rowSetting([rows, width]: [number, number]): string {
  const setting = settingFor({
    key: `rows ${sizeClass(width)}`,
    settings: rowSettings,
    trial() {
      const x = scratch([Math.min(rows, TRIED_ROWS), width])
      const code = `
    var squares = 0.0;
    ${eachElement('squares += x[at] * x[at];')}
    let rho = inverseSqrt(meanOfThreads(squares) + uniforms.eps);
    ${eachElement('result[at] = x[at] * rho;')}`
      return {
        kernel: (setting) => rowKernel('rowTrial', { x }, x, 1e-5, code, setting),
        written: { result: scratch(x.shape) },
        tensors: [x],
      }
    },
  })
  return setting ?? DEFAULT
}

// The global norm, and AdamW in place over [values | first moments | second moments]: one dispatch for everything that
// is trained. The formulas are those of reference/adamw.ts.
// Finiteness is tested by the exponent's bits: WGSL lets compilers assume that there is no NaN and no infinity.
import { keep, tensor1d, type Tensor } from '@tensorflow/tfjs-core'
import type { AdamwHyper, Optimizer, Slot } from '../ops.ts'
import { slotRuns } from '../slots.ts'
import { ELEMENT, f32, i32, LINE, lines, run, runInPlace, type Uniform } from './runner.ts'
import { byLayer } from './tiles.ts'

const FINITE = `
  fn finite(x : f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
`

/** Workgroups of the first stage of the norm, at most: what one workgroup adds up in the second. */
const NORM_GROUPS = 256

/** sqrt(sum g^2) of g [P] -> []; infinity where any element is not finite. */
export function globalNorm(gradient: Tensor): Tensor {
  const groups = Math.min(NORM_GROUPS, lines(gradient.size))
  const partial = run(sumKernel('squares', gradient, groups), [groups])
  const norm = run(sumKernel('norm', partial, 1), [])
  partial.dispose()
  return norm
}

/** squares: each group's sum of squares.  sum: of those sums.  norm: its root. */
function sumKernel(stage: 'squares' | 'sum' | 'norm', x: Tensor, groups: number): Parameters<typeof run>[0] {
  const first = stage === 'squares'
  return {
    name: 'globalNorm',
    variant: stage,
    inputs: { x },
    uniforms: { count: i32(x.size), stride: i32(groups * LINE), infinity: f32(Infinity) },
    workgroup: [LINE, 1, 1],
    groups,
    code: `${FINITE}
  var<workgroup> sums : array<f32, ${LINE}>;
  var<workgroup> faults : array<u32, ${LINE}>;

  fn main() {
    var sum = 0.0;
    var fault = 0u;
    for (var i = groupIndex() * ${LINE} + i32(localIndex); i < uniforms.count; i += uniforms.stride) {
      let value = x[i];
      if (finite(value)) { sum += ${first ? 'value * value' : 'value'}; } else { fault = 1u; }
    }
    sums[localIndex] = sum;
    faults[localIndex] = fault;
    workgroupBarrier();
    for (var half = ${LINE / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) {
        sums[localIndex] += sums[localIndex + half];
        faults[localIndex] |= faults[localIndex + half];
      }
      workgroupBarrier();
    }
    if (localIndex == 0u) {
      let total = ${stage === 'norm' ? 'sqrt(sums[0])' : 'sums[0]'};
      result[groupIndex()] = select(total, uniforms.infinity, faults[0] != 0u || !finite(total));
    }
  }`,
  }
}

/** sum x^2 of any x -> []; infinity where any element is not finite. */
export function sumOfSquares(x: Tensor): Tensor {
  const groups = Math.min(NORM_GROUPS, lines(x.size))
  const partial = run(sumKernel('squares', x, groups), [groups])
  if (groups === 1) return partial
  const sum = run(sumKernel('sum', partial, 1), [])
  partial.dispose()
  return sum
}

/** What AdamW needs to know of the slots, on the device for as long as the parameters are: of each run where it begins
 *  and which kind it is, by decay and rate. */
class GpuOptimizer implements Optimizer {
  readonly #kinds: { decay: boolean; rate: number }[] = []
  /** int32 [2, runs] */
  readonly #runs: Tensor

  constructor(slots: readonly Slot[]) {
    const runs = slotRuns(slots)
    const kinds = runs.map(({ decay, rate }) => {
      const known = this.#kinds.findIndex((kind) => kind.decay === decay && kind.rate === rate)
      return known >= 0 ? known : this.#kinds.push({ decay, rate }) - 1
    })
    this.#runs = keep(tensor1d([...runs.map(({ start }) => start), ...kinds], 'int32'))
  }

  step(state: Tensor, gradient: Tensor, norm: Tensor, hyper: AdamwHyper): Tensor {
    const runs = this.#runs.size / 2
    // Of each kind, made here: 1 - lr wd and lr / (1 - b1^t) keep their digits; asked for anew at every replay.
    const factors = this.#kinds.flatMap(({ decay, rate }, kind) => [
      [`decay${kind}`, f32(() => (decay ? 1 - hyper.learningRate * rate * hyper.weightDecay : 1))],
      [`size${kind}`, f32(() => (hyper.learningRate * rate) / (1 - hyper.beta1 ** hyper.step))],
    ])
    runInPlace(
      {
        name: 'adamw',
        variant: String(this.#kinds.length),
        inputs: { gradient, norm, runs: this.#runs },
        uniforms: {
          count: i32(gradient.size),
          runs: i32(runs),
          clip: f32(() => hyper.clip),
          beta1: f32(() => hyper.beta1),
          beta2: f32(() => hyper.beta2),
          // 1 - beta in float32 would lose digits that PyTorch keeps.
          rest1: f32(() => 1 - hyper.beta1),
          rest2: f32(() => 1 - hyper.beta2),
          root: f32(() => Math.sqrt(1 - hyper.beta2 ** hyper.step)),
          epsilon: f32(() => hyper.epsilon),
          ...(Object.fromEntries(factors) as Record<string, Uniform>),
        },
        workgroup: [LINE, 1, 1],
        groups: lines(gradient.size),
        code: `${FINITE}${byLayer('decay', this.#kinds.length, 'f32')}${byLayer('size', this.#kinds.length, 'f32')}
  fn main() {
    ${ELEMENT}
    if (!finite(norm[0])) { return; }
    var g = gradient[at];
    if (uniforms.clip > 0.0) { g *= min(1.0, uniforms.clip / (norm[0] + 1e-6)); }
    // The last run that begins at or before the element; the first begins at 0.
    var low = 0;
    var high = uniforms.runs;
    while (high - low > 1) {
      let middle = (low + high) / 2;
      if (runs[middle] <= at) { low = middle; } else { high = middle; }
    }
    let kind = runs[uniforms.runs + low];
    let m = uniforms.beta1 * result[uniforms.count + at] + uniforms.rest1 * g;
    let v = uniforms.beta2 * result[2 * uniforms.count + at] + uniforms.rest2 * g * g;
    result[at] = result[at] * decayOf(kind) - sizeOf(kind) * m / (sqrt(v) / uniforms.root + uniforms.epsilon);
    result[uniforms.count + at] = m;
    result[2 * uniforms.count + at] = v;
  }`,
      },
      state,
    )
    return state
  }

  dispose(): void {
    this.#runs.dispose()
  }
}

export const optimizer = (slots: readonly Slot[]): Optimizer => new GpuOptimizer(slots)

// The global norm, and AdamW in place over [values | first moments | second moments]: one dispatch for everything that
// is trained. The formulas are those of reference/adamw.ts.
// Finiteness is tested by the exponent's bits: WGSL lets compilers assume that there is no NaN and no infinity.
import { dispose, tensor1d, type Tensor } from '@tensorflow/tfjs-core'
import type { AdamwHyper, Slot } from '../ops.ts'
import { slotRuns } from '../slots.ts'
import { ELEMENT, f32, i32, LINE, lines, run, runInPlace } from './runner.ts'

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

/** squares: each group's sum of squares.  norm: the root of the sum of those sums. */
function sumKernel(stage: 'squares' | 'norm', x: Tensor, groups: number): Parameters<typeof run>[0] {
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
      let total = ${first ? 'sums[0]' : 'sqrt(sums[0])'};
      result[groupIndex()] = select(total, uniforms.infinity, faults[0] != 0u || !finite(total));
    }
  }`,
  }
}

export function adamw(
  state: Tensor,
  gradient: Tensor,
  norm: Tensor,
  slots: readonly Slot[],
  hyper: AdamwHyper,
): Tensor {
  const { learningRate, beta1, beta2, epsilon, weightDecay, clip, step } = hyper
  const runs = slotRuns(slots)
  const starts = tensor1d(
    runs.map(({ start }) => start),
    'int32',
  )
  // The factors of each run, made here: 1 - lr wd and lr / (1 - b1^t) keep their digits.
  const factors = tensor1d(
    runs.flatMap(({ decay, rate }) => [
      decay ? 1 - learningRate * rate * weightDecay : 1,
      (learningRate * rate) / (1 - beta1 ** step),
    ]),
    'float32',
  )
  runInPlace(
    {
      name: 'adamw',
      inputs: { gradient, norm, starts, factors },
      uniforms: {
        count: i32(gradient.size),
        runs: i32(runs.length),
        clip: f32(clip),
        beta1: f32(beta1),
        beta2: f32(beta2),
        // 1 - beta in float32 would lose digits that PyTorch keeps.
        rest1: f32(1 - beta1),
        rest2: f32(1 - beta2),
        root: f32(Math.sqrt(1 - beta2 ** step)),
        epsilon: f32(epsilon),
      },
      workgroup: [LINE, 1, 1],
      groups: lines(gradient.size),
      code: `${FINITE}
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
      if (starts[middle] <= at) { low = middle; } else { high = middle; }
    }
    let decay = factors[2 * low];
    let stepSize = factors[2 * low + 1];
    let m = uniforms.beta1 * result[uniforms.count + at] + uniforms.rest1 * g;
    let v = uniforms.beta2 * result[2 * uniforms.count + at] + uniforms.rest2 * g * g;
    result[at] = result[at] * decay - stepSize * m / (sqrt(v) / uniforms.root + uniforms.epsilon);
    result[uniforms.count + at] = m;
    result[2 * uniforms.count + at] = v;
  }`,
    },
    state,
  )
  dispose([starts, factors])
  return state
}

// Attention over queries, keys and values that lie side by side in one matrix: nothing is cut out or put together. Rotary
// positions turn queries and keys of all heads in one dispatch, in place; where heads have norms, one dispatch normalises
// and turns them, and one goes back through both.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { JointHeads, SeenHeads } from '../fused.ts'
import { attentionKernel } from './attention.ts'
import { keyKernel, queryKernel } from './attentionBackward.ts'
import type { Call } from './attentionParts.ts'
import { f32, i32, LINE, lines, run, runAll, runInPlace, scratch, type Kernel } from './runner.ts'

export function jointAttention(given: JointHeads): SeenHeads {
  const { joint, heads, headSize, norms, rope } = given
  const rows = joint.shape[0]!
  let turned: Tensor | undefined
  if (norms) turned = run(placeKernel(given, 'forward'), [rows, turnedWidth(given)])
  else if (rope) runInPlace(turnKernel(given, 1), joint)
  const seen = runAll(attentionKernel(callOf(given, turned)), {
    output: [rows, heads * headSize],
    logSumExp: [rows, heads],
  })
  return turned ? { ...seen, turned } : seen
}

export function jointAttentionBackward(
  dOutput: Tensor,
  given: JointHeads,
  { output, logSumExp, turned }: SeenHeads,
): Tensor {
  const { joint, norms, rope } = given
  const call = callOf(given, turned)
  const dJoint = scratch(joint.shape)
  // With norms, queries and keys have a gradient [N, (H + Hkv) hd] of their own before it goes through them.
  const dTurned = turned ? scratch(turned.shape) : dJoint
  const d = scratch(logSumExp.shape)
  const saved = { dO: dOutput, lse: logSumExp }
  runInPlace(queryKernel(call, { ...saved, o: output }), dTurned, { d })
  const keys = keyKernel(
    call,
    { ...saved, d },
    turned ? { k: 'result', v: 'dJoint' } : { k: 'result', v: 'result' },
  )
  runInPlace(keys, dTurned, turned ? { dJoint } : {})
  d.dispose()
  if (norms) {
    runInPlace(placeKernel(given, 'backward', dTurned), dJoint)
    dTurned.dispose()
  } else if (rope) runInPlace(turnKernel(given, -1), dJoint)
  return dJoint
}

/** Columns of queries and keys. */
const turnedWidth = ({ heads, keyValueHeads, headSize }: JointHeads): number =>
  (heads + keyValueHeads) * headSize

function callOf(given: JointHeads, turned: Tensor | undefined): Call {
  const { joint, heads, keyValueHeads, headSize, layout, mask } = given
  const width = joint.shape[1]!
  const pair = turned
    ? { array: 'turned', tensor: turned, width: turnedWidth(given) }
    : { array: 'joint', tensor: joint, width }
  return {
    q: { ...pair, first: 0 },
    k: { ...pair, first: heads * headSize },
    v: { array: 'joint', tensor: joint, width, first: turnedWidth(given) },
    heads,
    groups: keyValueHeads,
    size: headSize,
    layout,
    mask,
  }
}

/** Turns queries and keys in place, forth (1) or back (-1): a thread a pair (k, k + hd / 2). */
function turnKernel(given: JointHeads, sign: 1 | -1): Kernel {
  const { joint, headSize, rope } = given
  const rows = joint.shape[0]!
  const count = (rows * turnedWidth(given)) / 2
  return {
    name: 'turn',
    inputs: { positions: rope!.positions, cosines: rope!.table.cos, sines: rope!.table.sin },
    uniforms: {
      count: i32(count),
      pairs: i32(turnedWidth(given) / 2),
      width: i32(joint.shape[1]!),
      half: i32(headSize / 2),
      sign: f32(sign),
    },
    workgroup: [LINE, 1, 1],
    groups: lines(count),
    code: `
  fn main() {
    let at = groupIndex() * ${LINE} + i32(localIndex);
    if (at >= uniforms.count) { return; }
    let row = at / uniforms.pairs;
    let pair = at % uniforms.pairs;
    let k = pair % uniforms.half;
    let low = row * uniforms.width + pair / uniforms.half * 2 * uniforms.half + k;
    let high = low + uniforms.half;
    let angle = positions[row] * uniforms.half + k;
    let c = cosines[angle];
    let s = sines[angle] * uniforms.sign;
    let x = result[low];
    let y = result[high];
    result[low] = x * c - y * s;
    result[high] = y * c + x * s;
  }`,
  }
}

/** Threads of a head. */
const THREADS = 32

/** A workgroup a head. Forward: joint -> normalised and turned [N, (H + Hkv) hd]. Backward: dTurned and joint -> the
 *  columns of queries and keys of dJoint, in place. The formulas are those of reference/rmsNorm.ts and reference/rope.ts. */
function placeKernel(given: JointHeads, way: 'forward' | 'backward', dTurned?: Tensor): Kernel {
  const { joint, heads, keyValueHeads, headSize, norms, rope } = given
  const forward = way === 'forward'
  const angle =
    'let angle = positions[row] * uniforms.half + k; let c = cosines[angle]; let s = sines[angle];'
  return {
    name: 'placeHeads',
    variant: [way, rope ? 'rope' : ''].join('_'),
    inputs: {
      joint,
      queryWeight: norms!.q,
      keyWeight: norms!.k,
      ...(rope && { positions: rope.positions, cosines: rope.table.cos, sines: rope.table.sin }),
      ...(dTurned && { dTurned }),
    },
    uniforms: {
      count: i32(joint.shape[0]! * (heads + keyValueHeads)),
      all: i32(heads + keyValueHeads),
      heads: i32(heads),
      width: i32(joint.shape[1]!),
      half: i32(headSize / 2),
      eps: f32(norms!.eps),
    },
    workgroup: [THREADS, 1, 1],
    groups: joint.shape[0]! * (heads + keyValueHeads),
    code: `
  var<workgroup> partial : array<vec2<f32>, ${THREADS}>;

  fn main() {
    // The last groups may have no head, and then repeat the last one's sums: barriers must be reached by all.
    let cell = min(groupIndex(), uniforms.count - 1);
    let row = cell / uniforms.all;
    let head = cell % uniforms.all;
    let size = 2 * uniforms.half;
    let base = row * uniforms.width + head * size;
    let other = cell * size;
    let isKey = head >= uniforms.heads;
    // Sums of x^2 and, on the way back, of w dy x over the head.
    var sums = vec2<f32>();
    for (var k = i32(localIndex); k < uniforms.half; k += ${THREADS}) {
      let x = joint[base + k];
      let y = joint[base + uniforms.half + k];
      sums.x += x * x + y * y;
      ${
        forward
          ? ''
          : `${rope ? angle : ''}
      let dLow = dTurned[other + k];
      let dHigh = dTurned[other + uniforms.half + k];
      let low = ${rope ? 'dLow * c + dHigh * s' : 'dLow'};
      let high = ${rope ? 'dHigh * c - dLow * s' : 'dHigh'};
      let wLow = select(queryWeight[k], keyWeight[k], isKey);
      let wHigh = select(queryWeight[uniforms.half + k], keyWeight[uniforms.half + k], isKey);
      sums.y += wLow * low * x + wHigh * high * y;`
      }
    }
    partial[localIndex] = sums;
    workgroupBarrier();
    for (var step = ${THREADS / 2}u; step > 0u; step = step >> 1u) {
      if (localIndex < step) { partial[localIndex] += partial[localIndex + step]; }
      workgroupBarrier();
    }
    if (groupIndex() >= uniforms.count) { return; }
    let means = partial[0] / f32(size);
    let rho = inverseSqrt(means.x + uniforms.eps);
    for (var k = i32(localIndex); k < uniforms.half; k += ${THREADS}) {
      let wLow = select(queryWeight[k], keyWeight[k], isKey);
      let wHigh = select(queryWeight[uniforms.half + k], keyWeight[uniforms.half + k], isKey);
      ${rope ? angle : ''}
      ${
        forward
          ? `let low = joint[base + k] * rho * wLow;
      let high = joint[base + uniforms.half + k] * rho * wHigh;
      result[other + k] = ${rope ? 'low * c - high * s' : 'low'};
      result[other + uniforms.half + k] = ${rope ? 'high * c + low * s' : 'high'};`
          : `let dLow = dTurned[other + k];
      let dHigh = dTurned[other + uniforms.half + k];
      let low = ${rope ? 'dLow * c + dHigh * s' : 'dLow'};
      let high = ${rope ? 'dHigh * c - dLow * s' : 'dHigh'};
      let projection = means.y * rho * rho;
      result[base + k] = rho * (wLow * low - joint[base + k] * projection);
      result[base + uniforms.half + k] = rho * (wHigh * high - joint[base + uniforms.half + k] * projection);`
      }
    }
  }`,
  }
}

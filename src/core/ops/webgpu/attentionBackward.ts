// The two-pass backward of attention (Dao 2023, arXiv 2307.08691): P = exp(S - L) is made again from the logsumexp L of
// each row; dQ goes by queries, dK and dV by keys, because WGSL has no atomic float32 sums. One workgroup makes one row,
// walking the other side in tiles. The formulas are those of reference/attention.ts.
import { dispose, reshape, slice, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { AttentionLayout, AttentionMask } from '../layout.ts'
import { declare, forEach, SEES, shared, TILE, type Call } from './attentionParts.ts'
import { ELEMENT, i32, LINE, lines, run, type Kernel } from './runner.ts'

/** Whether any thread has something in a tile, numbered from 1 on: its barrier comes between the two calls. */
const TILES = `
  var<workgroup> lastTile : atomic<i32>;
  fn mark(tile : i32) { atomicMax(&lastTile, tile); }
  fn marked(tile : i32) -> bool { return atomicLoad(&lastTile) == tile; }
`

export function attentionBackward(
  dOutput: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  output: Tensor,
  logSumExp: Tensor,
  layout: AttentionLayout,
  mask: AttentionMask,
): { dq: Tensor; dk: Tensor; dv: Tensor } {
  const call = { q, k, layout, mask }
  const d = rowProducts(dOutput, output) // [Nq, H]
  const inputs = { q, k, v, dO: dOutput, lse: logSumExp, d, look: shared(call).look }
  const dq = run(queryKernel(call, inputs), q.shape)
  const [dk, dv] = tidy(() => {
    const both = run(keyKernel(call, inputs), [2, ...k.shape]) // dK, then dV
    return [0, 1].map((i) => reshape(slice(both, [i, 0, 0, 0], [1, ...k.shape]), k.shape)) as [Tensor, Tensor]
  })
  dispose(d)
  return { dq, dk, dv }
}

/** D = rowsum(dO O): [N, H, hd] -> [N, H] */
function rowProducts(a: Tensor, b: Tensor): Tensor {
  const [rows, heads, size] = a.shape as [number, number, number]
  return run(
    {
      name: 'rowProducts',
      inputs: { a, b },
      uniforms: { count: i32(rows * heads), size: i32(size) },
      workgroup: [LINE, 1, 1],
      groups: lines(rows * heads),
      code: `
  fn main() {
    ${ELEMENT}
    var sum = 0.0;
    for (var e = at * uniforms.size; e < (at + 1) * uniforms.size; e++) { sum += a[e] * b[e]; }
    result[at] = sum;
  }`,
    },
    [rows, heads],
  )
}

/** dQ by queries: for each tile of keys, dS = P (dO V^T - D), then dQ += scale dS K. */
function queryKernel(call: Call, inputs: Record<string, Tensor>): Kernel {
  const { uniforms, size } = shared(call)
  return {
    name: 'attentionQueries',
    variant: String(size),
    inputs,
    uniforms,
    workgroup: [TILE, 1, 1],
    groups: call.q.size / size,
    code: `${SEES}${TILES}
  var<workgroup> myQ : array<f32, ${size}>;
  var<workgroup> myD : array<f32, ${size}>;
  var<workgroup> slopes : array<f32, ${TILE}>;

  fn main() {
    let cell = min(groupIndex(), uniforms.allQueries * uniforms.heads - 1);
    let query = cell / uniforms.heads;
    let head = cell % uniforms.heads;
    let group = head / (uniforms.heads / uniforms.groups);
    let firstKey = query / uniforms.queries * uniforms.keys;
    ${forEach(size, (_, e) => `myQ[${e}] = q[cell * ${size} + ${e}]; myD[${e}] = dO[cell * ${size} + ${e}];`)}
    workgroupBarrier();

    ${declare(size, 'g')}
    for (var key0 = 0; key0 < uniforms.keys; key0 += ${TILE}) {
      let local = key0 + i32(localIndex);
      let key = firstKey + min(local, uniforms.keys - 1);
      var slope = 0.0;
      if (local < uniforms.keys && sees(query, key)) {
        let at = (key * uniforms.groups + group) * ${size};
        var score = 0.0;
        var dp = 0.0;
        for (var e = 0; e < ${size}; e++) {
          score += myQ[e] * k[at + e];
          dp += myD[e] * v[at + e];
        }
        slope = exp(score * uniforms.scale - lse[cell]) * (dp - d[cell]) * uniforms.scale;
        mark(key0 / ${TILE} + 1);
      }
      slopes[localIndex] = slope;
      workgroupBarrier();
      let count = select(0, min(${TILE}, uniforms.keys - key0), marked(key0 / ${TILE} + 1));
      for (var j = 0; j < count; j++) {
        let at = ((firstKey + key0 + j) * uniforms.groups + group) * ${size};
        ${forEach(size, (i, e) => `g${i} += slopes[j] * k[at + ${e}];`)}
      }
      workgroupBarrier();
    }
    ${forEach(size, (i, e) => `result[cell * ${size} + ${e}] = g${i};`)}
  }`,
  }
}

/** dK and dV by keys, summed over the queries of every head that shares them. */
function keyKernel(call: Call, inputs: Record<string, Tensor>): Kernel {
  const { uniforms, size } = shared(call)
  return {
    name: 'attentionKeys',
    variant: String(size),
    inputs,
    uniforms,
    workgroup: [TILE, 1, 1],
    groups: call.k.size / size,
    code: `${SEES}${TILES}
  var<workgroup> myK : array<f32, ${size}>;
  var<workgroup> myV : array<f32, ${size}>;
  var<workgroup> weights : array<f32, ${TILE}>;
  var<workgroup> slopes : array<f32, ${TILE}>;

  fn main() {
    let cell = min(groupIndex(), uniforms.allKeys * uniforms.groups - 1);
    let key = cell / uniforms.groups;
    let group = cell % uniforms.groups;
    let share = uniforms.heads / uniforms.groups;
    let firstQuery = key / uniforms.keys * uniforms.queries;
    ${forEach(size, (_, e) => `myK[${e}] = k[cell * ${size} + ${e}]; myV[${e}] = v[cell * ${size} + ${e}];`)}
    workgroupBarrier();

    ${declare(size, 'gk')} ${declare(size, 'gv')}
    // Rows of the tile: the queries, each with its heads of this group.
    let rows = uniforms.queries * (uniforms.heads / uniforms.groups);
    for (var row0 = 0; row0 < uniforms.queries * (uniforms.heads / uniforms.groups); row0 += ${TILE}) {
      let local = row0 + i32(localIndex);
      let row = min(local, rows - 1);
      let query = firstQuery + row / share;
      let other = query * uniforms.heads + group * share + row % share;
      var p = 0.0;
      var slope = 0.0;
      if (local < rows && sees(query, key)) {
        var score = 0.0;
        var dp = 0.0;
        for (var e = 0; e < ${size}; e++) {
          score += q[other * ${size} + e] * myK[e];
          dp += dO[other * ${size} + e] * myV[e];
        }
        p = exp(score * uniforms.scale - lse[other]);
        slope = p * (dp - d[other]) * uniforms.scale;
        mark(row0 / ${TILE} + 1);
      }
      weights[localIndex] = p;
      slopes[localIndex] = slope;
      workgroupBarrier();
      let count = select(0, min(${TILE}, rows - row0), marked(row0 / ${TILE} + 1));
      for (var j = 0; j < count; j++) {
        let at = ((firstQuery + (row0 + j) / share) * uniforms.heads + group * share + (row0 + j) % share) * ${size};
        ${forEach(size, (i, e) => `gk${i} += slopes[j] * q[at + ${e}]; gv${i} += weights[j] * dO[at + ${e}];`)}
      }
      workgroupBarrier();
    }
    let values = uniforms.allKeys * uniforms.groups * ${size};
    ${forEach(size, (i, e) => `result[cell * ${size} + ${e}] = gk${i}; result[values + cell * ${size} + ${e}] = gv${i};`)}
  }`,
  }
}

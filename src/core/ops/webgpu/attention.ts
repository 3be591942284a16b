// Attention without the [Tq, Tk] scores ever in memory (Dao et al. 2022, FlashAttention; the two-pass backward of
// Dao 2023, arXiv 2307.08691): one workgroup makes one row, walking the other side in tiles of as many rows as it has
// threads. The forward keeps L = logsumexp of each row, from which the backward recomputes P = exp(S - L); dQ goes by
// queries, dK and dV by keys, because WGSL has no atomic float32 sums. The formulas are those of reference/attention.ts.
import { concat, dispose, keep, reshape, slice, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { AttentionLayout, AttentionMask } from '../layout.ts'
import { ELEMENT, f32, i32, LINE, lines, run, type Kernel, type Uniform } from './runner.ts'

/** Threads of a workgroup, and rows of a tile. */
const TILE = 64

/** What stands in for the logsumexp of a query that sees no key, whose output is 0. */
const LOWEST = '-1.0e30'

/** The window of a mask without one. */
const EVERYTHING = 0x7fffffff

interface Call {
  q: Tensor
  k: Tensor
  layout: AttentionLayout
  mask: AttentionMask
}

/** Sizes, and the positions and segments of queries and keys in one buffer: kernels have few bindings. */
function shared({ q, k, layout, mask }: Call): {
  uniforms: Record<string, Uniform>
  look: Tensor
  size: number
} {
  const [, heads, size] = q.shape as [number, number, number]
  layout.packed ??= tidy(() =>
    keep(concat([layout.queryPositions, layout.querySegments, layout.keyPositions, layout.keySegments])),
  )
  const uniforms = {
    heads: i32(heads),
    groups: i32(k.shape[1]!),
    queries: i32(layout.queries),
    keys: i32(layout.keys),
    allQueries: i32(layout.batch * layout.queries),
    allKeys: i32(layout.batch * layout.keys),
    causal: i32(mask.causal ? 1 : 0),
    window: i32(mask.window ?? EVERYTHING),
    scale: f32(mask.scale),
  }
  return { uniforms, look: layout.packed, size }
}

const SEES = `
  fn sees(query : i32, key : i32) -> bool {
    let keyBase = 2 * uniforms.allQueries;
    let before = look[query] - look[keyBase + key]; // positions from the key on to the query
    return look[uniforms.allQueries + query] == look[keyBase + uniforms.allKeys + key]
      && (uniforms.causal == 0 || before >= 0) && abs(before) < uniforms.window;
  }
`

/** Whether any thread has something in a tile, numbered from 1 on: its barrier comes between the two calls. */
const TILES = `
  var<workgroup> lastTile : atomic<i32>;
  fn mark(tile : i32) { atomicMax(&lastTile, tile); }
  fn marked(tile : i32) -> bool { return atomicLoad(&lastTile) == tile; }
`

/** Sums and maxima over the threads; every thread gets the result. */
const REDUCE = `
  var<workgroup> lanes : array<f32, ${TILE}>;
  fn sumOfThreads(value : f32) -> f32 {
    lanes[localIndex] = value;
    workgroupBarrier();
    for (var half = ${TILE / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) { lanes[localIndex] += lanes[localIndex + half]; }
      workgroupBarrier();
    }
    let sum = lanes[0];
    workgroupBarrier();
    return sum;
  }
  fn maxOfThreads(value : f32) -> f32 {
    lanes[localIndex] = value;
    workgroupBarrier();
    for (var half = ${TILE / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) { lanes[localIndex] = max(lanes[localIndex], lanes[localIndex + half]); }
      workgroupBarrier();
    }
    let top = lanes[0];
    workgroupBarrier();
    return top;
  }
`

/** Elements of a head that one thread holds: thread t has elements t, t + TILE, ... */
function shares(size: number): number[] {
  return Array.from({ length: Math.ceil(size / TILE) }, (_, i) => i)
}

function forEach(size: number, line: (i: number, element: string) => string): string {
  return shares(size)
    .map((i) => {
      const element = `(i32(localIndex) + ${i * TILE})`
      return (i + 1) * TILE <= size ? line(i, element) : `if (${element} < ${size}) { ${line(i, element)} }`
    })
    .join('\n      ')
}

function declare(size: number, name: string): string {
  return shares(size)
    .map((i) => `var ${name}${i} = 0.0;`)
    .join(' ')
}

export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  layout: AttentionLayout,
  mask: AttentionMask,
): { output: Tensor; logSumExp: Tensor } {
  const { uniforms, look, size } = shared({ q, k, layout, mask })
  const [rows, heads] = q.shape as [number, number]
  const kernel: Kernel = {
    name: 'attention',
    variant: String(size),
    inputs: { q, k, v, look },
    uniforms,
    workgroup: [TILE, 1, 1],
    groups: rows * heads,
    code: `${SEES}${REDUCE}
  var<workgroup> mine : array<f32, ${size}>;
  var<workgroup> weights : array<f32, ${TILE}>;

  fn main() {
    // Row and head; the last groups may have none, and then repeat the last row: barriers must be reached by all.
    let cell = min(groupIndex(), uniforms.allQueries * uniforms.heads - 1);
    let query = cell / uniforms.heads;
    let head = cell % uniforms.heads;
    let group = head / (uniforms.heads / uniforms.groups);
    let firstKey = query / uniforms.queries * uniforms.keys;
    ${forEach(size, (_, e) => `mine[${e}] = q[cell * ${size} + ${e}] * uniforms.scale;`)}
    workgroupBarrier();

    var top = ${LOWEST};
    var total = 0.0;
    ${declare(size, 'o')}
    for (var key0 = 0; key0 < uniforms.keys; key0 += ${TILE}) {
      let local = key0 + i32(localIndex);
      let key = firstKey + min(local, uniforms.keys - 1);
      let seen = local < uniforms.keys && sees(query, key);
      var score = ${LOWEST};
      if (seen) {
        score = 0.0;
        let at = (key * uniforms.groups + group) * ${size};
        for (var e = 0; e < ${size}; e++) { score += mine[e] * k[at + e]; }
      }
      let tileTop = maxOfThreads(score);
      let higher = max(top, tileTop);
      let p = select(0.0, exp(score - higher), seen);
      weights[localIndex] = p;
      let shrink = exp(top - higher);
      top = higher;
      total = total * shrink + sumOfThreads(p); // its barriers publish the weights too
      ${forEach(size, (i) => `o${i} *= shrink;`)}
      // A tile of which the query sees nothing, before its window or behind it, has no values to add.
      let count = select(0, min(${TILE}, uniforms.keys - key0), tileTop > ${LOWEST});
      for (var j = 0; j < count; j++) {
        let at = ((firstKey + key0 + j) * uniforms.groups + group) * ${size};
        ${forEach(size, (i, e) => `o${i} += weights[j] * v[at + ${e}];`)}
      }
      workgroupBarrier();
    }
    let whole = max(total, 1.0e-30);
    ${forEach(size, (i, e) => `result[cell * ${size} + ${e}] = o${i} / whole;`)}
    if (localIndex == 0u) {
      result[uniforms.allQueries * uniforms.heads * ${size} + cell] = top + log(whole);
    }
  }`,
  }
  return tidy(() => {
    const both = run(kernel, [rows * heads * (size + 1)]) // outputs, then a logsumexp for each
    return {
      output: reshape(slice(both, 0, rows * heads * size), [rows, heads, size]),
      logSumExp: reshape(slice(both, rows * heads * size, rows * heads), [rows, heads]),
    }
  })
}

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

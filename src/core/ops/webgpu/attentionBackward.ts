// The two-pass backward of attention (Dao 2023, arXiv 2307.08691): P = exp(S - L) is made again from the logsumexp L of
// each row; dQ goes by queries, dK and dV by keys, because WGSL has no atomic float32 sums. One workgroup makes one row,
// walking the other side in tiles. The formulas are those of reference/attention.ts.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { AttentionLayout, AttentionMask } from '../layout.ts'
import {
  addresses,
  arraysOf,
  declare,
  forEach,
  SEES,
  TILE,
  uniformsOf,
  viewOf,
  type Call,
} from './attentionParts.ts'
import { ELEMENT, i32, LINE, lines, run, runAll, type Kernel } from './runner.ts'

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
  const [, heads, size] = q.shape as [number, number, number]
  const views = { q: viewOf('q', q), k: viewOf('k', k), v: viewOf('v', v) }
  const call = { ...views, heads, groups: k.shape[1]!, size, layout, mask }
  const both = rowNumbers(dOutput, output, logSumExp) // [2, Nq, H]
  const saved = { dO: dOutput, both }
  const dq = run(queryKernel(call, saved), q.shape)
  const { dk, dv } = runAll(keyKernel(call, saved, { k: 'dk', v: 'dv' }), { dk: k.shape, dv: v.shape })
  both.dispose()
  return { dq, dk, dv }
}

/** L and D = rowsum(dO O) in one tensor [2, N, H], because a kernel may be bound to eight only. */
function rowNumbers(dO: Tensor, o: Tensor, lse: Tensor): Tensor {
  const [rows, heads, size] = o.shape as [number, number, number]
  return run(
    {
      name: 'rowNumbers',
      inputs: { dO, o, lse },
      uniforms: { count: i32(rows * heads), size: i32(size) },
      workgroup: [LINE, 1, 1],
      groups: lines(rows * heads),
      code: `
  fn main() {
    ${ELEMENT}
    var sum = 0.0;
    for (var e = at * uniforms.size; e < (at + 1) * uniforms.size; e++) { sum += dO[e] * o[e]; }
    result[at] = lse[at];
    result[uniforms.count + at] = sum;
  }`,
    },
    [2, rows, heads],
  )
}

/** What the way back reads: dO [Nq, H, hd], and by query and head L and D; or L and O, from which D is made. */
type Numbers = { lse: Tensor; d: Tensor } | { both: Tensor }
export type Saved = { dO: Tensor } & (Numbers | { lse: Tensor; o: Tensor })

/** L and D at a place, in the code. */
function numbersAt(saved: Saved, at: string): { l: string; d: string } {
  return 'both' in saved
    ? { l: `both[${at}]`, d: `both[uniforms.allQueries * uniforms.heads + ${at}]` }
    : { l: `lse[${at}]`, d: `d[${at}]` }
}

/** dQ by queries: for each tile of keys, dS = P (dO V^T - D), then dQ += scale dS K. Written as q lies in its array, to
 *  `result`; where O is given, D is made here and written to `d`. */
export function queryKernel(call: Call, saved: Saved): Kernel {
  const { q, k, v, size, heads, layout } = call
  const own = 'o' in saved
  const numbers = numbersAt(saved, 'cell')
  return {
    name: 'attentionQueries',
    variant: [size, q.array, k.array, v.array].join('_'),
    inputs: { ...arraysOf(call), ...saved },
    uniforms: uniformsOf(call),
    workgroup: [TILE, 1, 1],
    groups: layout.batch * layout.queries * heads,
    code: `${SEES}${TILES}${addresses(size)}
  var<workgroup> myQ : array<f32, ${size}>;
  var<workgroup> myD : array<f32, ${size}>;
  var<workgroup> slopes : array<f32, ${TILE}>;

  fn main() {
    let cell = min(groupIndex(), uniforms.allQueries * uniforms.heads - 1);
    let query = cell / uniforms.heads;
    let head = cell % uniforms.heads;
    let group = head / (uniforms.heads / uniforms.groups);
    let firstKey = query / uniforms.queries * uniforms.keys;
    let mine = qAt(query, head);
    ${forEach(size, (_, e) => `myQ[${e}] = ${q.array}[mine + ${e}]; myD[${e}] = dO[cell * ${size} + ${e}];`)}
    workgroupBarrier();
    ${
      own
        ? `// Every thread adds up the whole row: a head is short.
    var product = 0.0;
    for (var e = 0; e < ${size}; e++) { product += myD[e] * o[cell * ${size} + e]; }
    if (localIndex == 0u) { d[cell] = product; }`
        : `let product = ${numbers.d};`
    }

    ${declare(size, 'g')}
    for (var key0 = 0; key0 < uniforms.keys; key0 += ${TILE}) {
      let local = key0 + i32(localIndex);
      let key = firstKey + min(local, uniforms.keys - 1);
      var slope = 0.0;
      if (local < uniforms.keys && sees(query, key)) {
        let keyAt = kAt(key, group);
        let valueAt = vAt(key, group);
        var score = 0.0;
        var dp = 0.0;
        for (var e = 0; e < ${size}; e++) {
          score += myQ[e] * ${k.array}[keyAt + e];
          dp += myD[e] * ${v.array}[valueAt + e];
        }
        slope = exp(score * uniforms.scale - ${numbers.l}) * (dp - product) * uniforms.scale;
        mark(key0 / ${TILE} + 1);
      }
      slopes[localIndex] = slope;
      workgroupBarrier();
      let count = select(0, min(${TILE}, uniforms.keys - key0), marked(key0 / ${TILE} + 1));
      for (var j = 0; j < count; j++) {
        let at = kAt(firstKey + key0 + j, group);
        ${forEach(size, (i, e) => `g${i} += slopes[j] * ${k.array}[at + ${e}];`)}
      }
      workgroupBarrier();
    }
    ${forEach(size, (i, e) => `result[mine + ${e}] = g${i};`)}
  }`,
  }
}

/** dK and dV by keys, summed over the queries of every head that shares them; written as k and v lie, to the arrays `into`. */
export function keyKernel(
  call: Call,
  saved: { dO: Tensor } & Numbers,
  into: { k: string; v: string },
): Kernel {
  const { q, k, v, size, groups, layout } = call
  const numbers = numbersAt(saved, 'other')
  return {
    name: 'attentionKeys',
    variant: [size, q.array, k.array, v.array, into.k, into.v].join('_'),
    inputs: { ...arraysOf(call), ...saved },
    uniforms: uniformsOf(call),
    workgroup: [TILE, 1, 1],
    groups: layout.batch * layout.keys * groups,
    code: `${SEES}${TILES}${addresses(size)}
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
    let myKey = kAt(key, group);
    let myValue = vAt(key, group);
    ${forEach(size, (_, e) => `myK[${e}] = ${k.array}[myKey + ${e}]; myV[${e}] = ${v.array}[myValue + ${e}];`)}
    workgroupBarrier();

    ${declare(size, 'gk')} ${declare(size, 'gv')}
    // Rows of the tile: the queries, each with its heads of this group.
    let rows = uniforms.queries * (uniforms.heads / uniforms.groups);
    for (var row0 = 0; row0 < uniforms.queries * (uniforms.heads / uniforms.groups); row0 += ${TILE}) {
      let local = row0 + i32(localIndex);
      let row = min(local, rows - 1);
      let query = firstQuery + row / share;
      let head = group * share + row % share;
      let other = query * uniforms.heads + head;
      var p = 0.0;
      var slope = 0.0;
      if (local < rows && sees(query, key)) {
        var score = 0.0;
        var dp = 0.0;
        let queryAt = qAt(query, head);
        for (var e = 0; e < ${size}; e++) {
          score += ${q.array}[queryAt + e] * myK[e];
          dp += dO[other * ${size} + e] * myV[e];
        }
        p = exp(score * uniforms.scale - ${numbers.l});
        slope = p * (dp - ${numbers.d}) * uniforms.scale;
        mark(row0 / ${TILE} + 1);
      }
      weights[localIndex] = p;
      slopes[localIndex] = slope;
      workgroupBarrier();
      let count = select(0, min(${TILE}, rows - row0), marked(row0 / ${TILE} + 1));
      for (var j = 0; j < count; j++) {
        let query = firstQuery + (row0 + j) / share;
        let head = group * share + (row0 + j) % share;
        let queryAt = qAt(query, head);
        let at = (query * uniforms.heads + head) * ${size};
        ${forEach(size, (i, e) => `gk${i} += slopes[j] * ${q.array}[queryAt + ${e}]; gv${i} += weights[j] * dO[at + ${e}];`)}
      }
      workgroupBarrier();
    }
    ${forEach(size, (i, e) => `${into.k}[myKey + ${e}] = gk${i}; ${into.v}[myValue + ${e}] = gv${i};`)}
  }`,
  }
}

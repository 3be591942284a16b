// Attention without the [Tq, Tk] scores ever in memory (Dao et al. 2022, FlashAttention): one workgroup makes one row,
// walking the keys in tiles of as many as it has threads. It keeps L = logsumexp of each row for the backward
// (attentionBackward.ts). The formulas are those of reference/attention.ts.
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
import { reductions } from './reductions.ts'
import { runAll, scratch, type Kernel } from './runner.ts'
import { DEFAULT, enables, rowSettings, sizeClass, SUBGROUPS } from './tuning/settings.ts'
import { settingFor } from './tuning/tuner.ts'

/** What stands in for the logsumexp of a query that sees no key, whose output is 0. */
const LOWEST = '-1.0e30'

export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  layout: AttentionLayout,
  mask: AttentionMask,
): { output: Tensor; logSumExp: Tensor } {
  const [rows, heads, size] = q.shape as [number, number, number]
  const views = { q: viewOf('q', q), k: viewOf('k', k), v: viewOf('v', v) }
  const call = { ...views, heads, groups: k.shape[1]!, size, layout, mask }
  return runAll(attentionKernel(call), { output: q.shape, logSumExp: [rows, heads] })
}

/** Writes `output` [Nq, H, hd] and `logSumExp` [Nq, H]. */
export function attentionKernel(call: Call, setting = settingOf(call)): Kernel {
  const { q, k, v, size, heads, layout } = call
  return {
    name: 'attention',
    variant: [size, q.array, k.array, v.array, setting].join('_'),
    inputs: arraysOf(call),
    uniforms: uniformsOf(call),
    workgroup: [TILE, 1, 1],
    groups: layout.batch * layout.queries * heads,
    enable: enables(setting),
    code: `${SEES}${reductions(TILE, setting === SUBGROUPS, true)}${addresses(size)}
  var<workgroup> mine : array<f32, ${size}>;
  var<workgroup> weights : array<f32, ${TILE}>;

  fn main() {
    // Row and head; the last groups may have none, and then repeat the last row: barriers must be reached by all.
    let cell = min(groupIndex(), uniforms.allQueries * uniforms.heads - 1);
    let query = cell / uniforms.heads;
    let head = cell % uniforms.heads;
    let group = head / (uniforms.heads / uniforms.groups);
    let firstKey = query / uniforms.queries * uniforms.keys;
    let myQuery = qAt(query, head);
    ${forEach(size, (_, e) => `mine[${e}] = ${q.array}[myQuery + ${e}] * uniforms.scale;`)}
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
        let at = kAt(key, group);
        for (var e = 0; e < ${size}; e++) { score += mine[e] * ${k.array}[at + e]; }
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
        let at = vAt(firstKey + key0 + j, group);
        ${forEach(size, (i, e) => `o${i} += weights[j] * ${v.array}[at + ${e}];`)}
      }
      workgroupBarrier();
    }
    let whole = max(total, 1.0e-30);
    ${forEach(size, (i, e) => `output[cell * ${size} + ${e}] = o${i} / whole;`)}
    if (localIndex == 0u) { logSumExp[cell] = top + log(whole); }
  }`,
  }
}

/** Tried out on tensors of their own in the same layout. */
function settingOf(call: Call): string {
  const { heads, groups, size, layout } = call
  const setting = settingFor({
    key: `attention ${size} ${sizeClass(layout.keys)}`,
    settings: rowSettings,
    trial() {
      const q = scratch([layout.batch * layout.queries, heads, size])
      const [k, v] = [0, 1].map(() => scratch([layout.batch * layout.keys, groups, size])) as [Tensor, Tensor]
      const logSumExp = scratch([q.shape[0]!, heads])
      const tried = { ...call, q: viewOf('q', q), k: viewOf('k', k), v: viewOf('v', v) }
      return {
        kernel: (setting) => attentionKernel(tried, setting),
        written: { output: scratch(q.shape), logSumExp },
        tensors: [q, k, v],
      }
    },
  })
  return setting ?? DEFAULT
}

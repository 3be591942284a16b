// One token's attention in one dispatch: it normalises and turns queries and key, writes key and value to the cache, and
// walks the keys in tiles. A workgroup makes one head; a long text is parted among several (Flash-Decoding, Dao et al.
// 2023), whose results a second dispatch puts together. The token's own key and value are taken from where they were
// made, so no workgroup waits for what another one writes.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { JointHeads } from '../fused.ts'
import type { KeyValueCache } from '../step.ts'
import { f32, i32, run, runInPlace, scratch, type Kernel } from './runner.ts'

/** Threads of a workgroup, threads that share a key, and keys of a tile. */
const THREADS = 128
const LANES = 16
const TILE = 64
/** A row of the tile's parts in shared memory; the odd number keeps neighbouring rows on different banks. */
const PITCH = LANES + 1
/** Keys of a workgroup at most, before the text is parted. */
const SHARE = 512

const EVERYTHING = 0x7fffffff
const LOWEST = '-1.0e30'

export type TokenHeads = Omit<JointHeads, 'layout'>

/** joint [1, (H + 2 Hkv) hd] of the token at `position` (int32 [1]), the next of the cache, which has room for it, ->
 *  [1, H hd]. */
export function stepAttention(
  given: TokenHeads,
  position: Tensor,
  cache: KeyValueCache,
  share = SHARE,
): Tensor {
  const { heads, headSize, mask } = given
  // As many as a full cache needs: a recorded step stays the same until the cache grows.
  const parts = Math.ceil(Math.min(cache.capacity, mask.window ?? EVERYTHING) / share)
  const output = parts === 1 ? scratch([1, heads * headSize]) : scratch([heads, parts, headSize + 2])
  runInPlace(kernelOf(given, position, cache, parts), output, { cache: cache.data })
  if (parts === 1) return output
  const whole = run(joinKernel(output, heads, parts, headSize), [1, heads * headSize])
  output.dispose()
  return whole
}

const REDUCE = `
  var<workgroup> lanes : array<f32, ${THREADS}>;
  fn sumOfThreads(value : f32) -> f32 {
    lanes[localIndex] = value;
    workgroupBarrier();
    for (var half = ${THREADS / 2}u; half > 0u; half = half >> 1u) {
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
    for (var half = ${THREADS / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) { lanes[localIndex] = max(lanes[localIndex], lanes[localIndex + half]); }
      workgroupBarrier();
    }
    let top = lanes[0];
    workgroupBarrier();
    return top;
  }
`

function kernelOf(
  { joint, heads, keyValueHeads, headSize: size, norms, rope, mask }: TokenHeads,
  position: Tensor,
  cache: KeyValueCache,
  parts: number,
): Kernel {
  // Threads along the head, and how many keys' values are added up side by side; or a thread has several elements.
  const wide = Math.min(size, THREADS)
  const slices = Math.floor(THREADS / wide)
  const each = Math.ceil(size / THREADS)
  const own = Array.from({ length: each }, (_, i) => i)
  const element = (i: number) => (each === 1 ? 'along' : `(along + ${i * THREADS})`)
  const inside = (i: number) =>
    (i + 1) * THREADS <= size || each === 1 ? '' : `if (${element(i)} < ${size}) `
  const scaled = (name: string, weight: string, base: string, e: string) =>
    norms ? `joint[${base} + ${e}] * ${name} * ${weight}[${e}]` : `joint[${base} + ${e}]`
  return {
    name: 'stepAttention',
    variant: [size, norms ? 'norms' : '', rope ? 'rope' : '', parts > 1 ? 'parts' : ''].join('_'),
    inputs: {
      joint,
      position,
      ...(norms && { queryWeight: norms.q, keyWeight: norms.k }),
      ...(rope && { cosines: rope.table.cos, sines: rope.table.sin }),
    },
    uniforms: {
      heads: i32(heads),
      groups: i32(keyValueHeads),
      capacity: i32(cache.capacity),
      window: i32(mask.window ?? EVERYTHING),
      parts: i32(parts),
      scale: f32(mask.scale),
      ...(norms && { eps: f32(norms.eps) }),
    },
    workgroup: [THREADS, 1, 1],
    groups: heads * parts,
    code: `${REDUCE}
  var<workgroup> mine : array<f32, ${size}>;
  var<workgroup> ownKey : array<f32, ${size}>;
  var<workgroup> products : array<f32, ${TILE * PITCH}>;
  var<workgroup> weights : array<f32, ${TILE}>;

  fn main() {
    // The last groups may have no head, and then repeat the last one: barriers must be reached by all.
    let cell = min(groupIndex(), uniforms.heads * uniforms.parts - 1);
    let head = cell / uniforms.parts;
    let part = cell % uniforms.parts;
    let share = uniforms.heads / uniforms.groups;
    let group = head / share;
    let now = position[0];
    let visible = min(now + 1, uniforms.window);
    let keys = (visible + uniforms.parts - 1) / uniforms.parts;
    let begin = now + 1 - visible + part * keys;
    let end = min(begin + keys, now + 1);
    let queryBase = head * ${size};
    let keyBase = (uniforms.heads + group) * ${size};
    let valueBase = (uniforms.heads + uniforms.groups + group) * ${size};
    let keysAt = group * uniforms.capacity * ${size};
    let valuesAt = (uniforms.groups + group) * uniforms.capacity * ${size};
    ${
      norms
        ? `var squares = vec2<f32>();
    for (var e = i32(localIndex); e < ${size}; e += ${THREADS}) {
      let both = vec2<f32>(joint[queryBase + e], joint[keyBase + e]);
      squares += both * both;
    }
    let rhoQuery = inverseSqrt(sumOfThreads(squares.x) / ${size}.0 + uniforms.eps);
    let rhoKey = inverseSqrt(sumOfThreads(squares.y) / ${size}.0 + uniforms.eps);`
        : ''
    }
    ${
      rope
        ? `for (var k = i32(localIndex); k < ${size / 2}; k += ${THREADS}) {
      let c = cosines[now * ${size / 2} + k];
      let s = sines[now * ${size / 2} + k];
      let high = k + ${size / 2};
      let q0 = ${scaled('rhoQuery', 'queryWeight', 'queryBase', 'k')};
      let q1 = ${scaled('rhoQuery', 'queryWeight', 'queryBase', 'high')};
      mine[k] = (q0 * c - q1 * s) * uniforms.scale;
      mine[high] = (q1 * c + q0 * s) * uniforms.scale;
      let k0 = ${scaled('rhoKey', 'keyWeight', 'keyBase', 'k')};
      let k1 = ${scaled('rhoKey', 'keyWeight', 'keyBase', 'high')};
      ownKey[k] = k0 * c - k1 * s;
      ownKey[high] = k1 * c + k0 * s;
    }`
        : `for (var e = i32(localIndex); e < ${size}; e += ${THREADS}) {
      mine[e] = ${scaled('rhoQuery', 'queryWeight', 'queryBase', 'e')} * uniforms.scale;
      ownKey[e] = ${scaled('rhoKey', 'keyWeight', 'keyBase', 'e')};
    }`
    }
    workgroupBarrier();
    // One head of a group writes for all of them.
    if (head % share == 0 && part == 0 && groupIndex() == cell) {
      for (var e = i32(localIndex); e < ${size}; e += ${THREADS}) {
        cache[keysAt + now * ${size} + e] = ownKey[e];
        cache[valuesAt + now * ${size} + e] = joint[valueBase + e];
      }
    }

    let team = i32(localIndex) / ${LANES};
    let lane = i32(localIndex) % ${LANES};
    let along = i32(localIndex) % ${wide};
    let slice = i32(localIndex) / ${wide};
    var top = ${LOWEST};
    var total = 0.0;
    ${own.map((i) => `var o${i} = 0.0;`).join(' ')}
    for (var tile = 0; tile < (keys + ${TILE - 1}) / ${TILE}; tile++) {
      let key0 = begin + tile * ${TILE};
      let count = clamp(end - key0, 0, ${TILE});
      for (var j = team; j < count; j += ${THREADS / LANES}) {
        var product = 0.0;
        if (key0 + j == now) {
          for (var e = lane; e < ${size}; e += ${LANES}) { product += mine[e] * ownKey[e]; }
        } else {
          let at = keysAt + (key0 + j) * ${size};
          for (var e = lane; e < ${size}; e += ${LANES}) { product += mine[e] * cache[at + e]; }
        }
        products[j * ${PITCH} + lane] = product;
      }
      workgroupBarrier();
      let seen = i32(localIndex) < count;
      var score = ${LOWEST};
      if (seen) {
        score = 0.0;
        for (var k = 0; k < ${LANES}; k++) { score += products[i32(localIndex) * ${PITCH} + k]; }
      }
      let higher = max(top, maxOfThreads(score));
      let p = select(0.0, exp(score - higher), seen);
      if (localIndex < ${TILE}u) { weights[localIndex] = p; }
      let shrink = exp(top - higher);
      top = higher;
      total = total * shrink + sumOfThreads(p); // its barriers publish the weights too
      ${own.map((i) => `o${i} *= shrink;`).join(' ')}
      if (slice < ${slices}) {
        for (var j = slice; j < count; j += ${slices}) {
          let at = valuesAt + (key0 + j) * ${size};
          let isOwn = key0 + j == now;
          ${own
            .map(
              (i) => `${inside(i)}{
            var value = 0.0;
            if (isOwn) { value = joint[valueBase + ${element(i)}]; } else { value = cache[at + ${element(i)}]; }
            o${i} += weights[j] * value;
          }`,
            )
            .join('\n          ')}
        }
      }
      workgroupBarrier();
    }
    ${
      slices > 1
        ? `lanes[localIndex] = o0;
    workgroupBarrier();
    if (slice > 0 || groupIndex() > cell) { return; }
    for (var other = 1; other < ${slices}; other++) { o0 += lanes[along + other * ${wide}]; }`
        : 'if (slice > 0 || groupIndex() > cell) { return; }'
    }
    ${
      parts > 1
        ? `let base = cell * ${size + 2};
    ${own.map((i) => `${inside(i)}{ result[base + ${element(i)}] = o${i}; }`).join('\n    ')}
    if (localIndex == 0u) {
      result[base + ${size}] = top;
      result[base + ${size + 1}] = total;
    }`
        : own
            .map(
              (i) => `${inside(i)}{ result[head * ${size} + ${element(i)}] = o${i} / max(total, 1.0e-30); }`,
            )
            .join('\n    ')
    }
  }`,
  }
}

/** Puts the parts of every head together: [H, parts, hd + 2] -> [H hd]. */
function joinKernel(given: Tensor, heads: number, parts: number, size: number): Kernel {
  return {
    name: 'stepAttentionJoin',
    variant: `${size}`,
    inputs: { given },
    uniforms: { count: i32(heads * size), parts: i32(parts) },
    workgroup: [64, 1, 1],
    groups: Math.ceil((heads * size) / 64),
    code: `
  fn main() {
    let at = groupIndex() * 64 + i32(localIndex);
    if (at >= uniforms.count) { return; }
    let first = at / ${size} * uniforms.parts;
    let element = at % ${size};
    var top = ${LOWEST};
    for (var part = 0; part < uniforms.parts; part++) { top = max(top, given[(first + part) * ${size + 2} + ${size}]); }
    var sum = 0.0;
    var total = 0.0;
    for (var part = 0; part < uniforms.parts; part++) {
      let base = (first + part) * ${size + 2};
      let weight = exp(given[base + ${size}] - top);
      sum += given[base + element] * weight;
      total += given[base + ${size + 1}] * weight;
    }
    result[at] = sum / max(total, 1.0e-30);
  }`,
  }
}

// The next token, chosen on the GPU: generate/sampler.ts, number for number. One dispatch penalises and finds the most
// likely token of each stretch of the vocabulary; a single workgroup does the rest, in rounds over all logits whose sums are
// integers of 64 bits (two words), so that the order of the threads does not matter.
import { backend as currentBackend, type Tensor } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { submitPending } from '../../backend/errorScopes.ts'
import {
  isGreedy,
  KEY_END,
  KEY_UNIT,
  MASS_UNIT,
  shareOf,
  type SamplingSettings,
} from '../../generate/sampler.ts'
import { PURPOSES } from '../../rng.ts'
import type { TextState } from '../step.ts'
import { PHILOX } from './dropout.ts'
import { f32, i32, LINE, runAll, runInPlace, u32, type Kernel } from './runner.ts'

/** Logits of a stretch at least, and stretches at most. */
const STRETCH = 1024
const STRETCHES = 64

/** Chooses the state's next token from logits [1, V]. */
export function choose(logits: Tensor, settings: SamplingSettings, state: TextState): void {
  const count = logits.size
  const stretches = Math.min(STRETCHES, Math.ceil(count / STRETCH))
  const penalised = settings.repetitionPenalty !== 1
  const found = runAll<'best' | 'scores'>(
    bestKernel(logits, settings, state, stretches, penalised),
    penalised
      ? { best: [stretches, 2], scores: [count] }
      : ({ best: [stretches, 2] } as { best: number[]; scores: number[] }),
  )
  const scores = penalised ? found.scores : logits
  const { token, position, seen } = state
  runInPlace(chooseKernel(found.best, scores, settings, state, stretches), token, { position, seen })
  found.best.dispose()
  if (penalised) scores.dispose()
}

/** The newest token, by a buffer of its own: it may be overwritten while it is on its way. */
export async function readToken({ token }: TextState): Promise<number> {
  const backend = currentBackend() as WebGPUBackend
  submitPending(backend)
  const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ
  const staging = backend.bufferManager.acquireBuffer(4, usage)
  try {
    const encoder = backend.device.createCommandEncoder()
    const { resource } = backend.tensorMap.get(token.dataId)
    encoder.copyBufferToBuffer(resource as GPUBuffer, 0, staging, 0, 4)
    backend.queue.submit([encoder.finish()])
    await staging.mapAsync(GPUMapMode.READ)
    const [id] = new Int32Array(staging.getMappedRange())
    staging.unmap()
    return id!
  } finally {
    backend.bufferManager.releaseBuffer(staging)
  }
}

/** best [stretches, 2]: the largest score and the first id that has it; with a penalty all scores, too. */
function bestKernel(
  logits: Tensor,
  { repetitionPenalty }: SamplingSettings,
  { seen }: TextState,
  stretches: number,
  penalised: boolean,
): Kernel {
  return {
    name: 'bestTokens',
    variant: penalised ? 'penalised' : '',
    inputs: { logits, ...(penalised && { seen }) },
    uniforms: {
      count: i32(logits.size),
      stretch: i32(Math.ceil(logits.size / stretches)),
      up: f32(repetitionPenalty),
      down: f32(1 / repetitionPenalty),
    },
    workgroup: [LINE, 1, 1],
    groups: stretches,
    code: `
  var<workgroup> tops : array<f32, ${LINE}>;
  var<workgroup> ids : array<i32, ${LINE}>;

  fn main() {
    let begin = groupIndex() * uniforms.stretch;
    let end = min(begin + uniforms.stretch, uniforms.count);
    var top = -3.4e38;
    var id = begin;
    for (var i = begin + i32(localIndex); i < end; i += ${LINE}) {
      ${
        penalised
          ? `var score = logits[i];
      if (((bitcast<u32>(seen[i / 32]) >> u32(i % 32)) & 1u) == 1u) {
        score *= select(uniforms.down, uniforms.up, score < 0.0);
      }
      scores[i] = score;`
          : 'let score = logits[i];'
      }
      if (score > top) { top = score; id = i; }
    }
    tops[localIndex] = top;
    ids[localIndex] = id;
    workgroupBarrier();
    for (var half = ${LINE / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) {
        let other = tops[localIndex + half];
        if (other > tops[localIndex] || (other == tops[localIndex] && ids[localIndex + half] < ids[localIndex])) {
          tops[localIndex] = other;
          ids[localIndex] = ids[localIndex + half];
        }
      }
      workgroupBarrier();
    }
    if (localIndex == 0u) {
      best[2 * groupIndex()] = tops[0];
      best[2 * groupIndex() + 1] = f32(ids[0]);
    }
  }`,
  }
}

function chooseKernel(
  best: Tensor,
  scores: Tensor,
  settings: SamplingSettings,
  { origin }: TextState,
  stretches: number,
): Kernel {
  const { temperature, topK, topP, minP, seed } = settings
  const drawing = !isGreedy(settings)
  const byRank = drawing && topK > 0
  const byMass = drawing && topP < 1
  return {
    name: 'chooseToken',
    variant: drawing ? ['draw', byRank ? 'k' : '', byMass ? 'p' : ''].join('_') : 'greedy',
    inputs: { best, ...(drawing && { scores }) },
    uniforms: {
      stretches: i32(stretches),
      ...(drawing && {
        count: i32(scores.size),
        origin: i32(origin),
        seed: u32(seed),
        inverse: f32(1 / temperature),
        topK: u32(topK),
        topP: u32(shareOf(topP)),
        least: u32(Math.round(minP * MASS_UNIT)),
      }),
    },
    workgroup: [LINE, 1, 1],
    groups: 1,
    code: `
  ${drawing ? DRAW : ''}
  ${byRank ? edgeCode('rank') : ''}
  ${byMass ? edgeCode('mass') : ''}

  fn main() {
    var most = best[0];
    var choice = i32(best[1]);
    for (var i = 1; i < uniforms.stretches; i++) {
      if (best[2 * i] > most) { most = best[2 * i]; choice = i32(best[2 * i + 1]); }
    }
    ${
      drawing
        ? `top = most;
    var edge = 0xffffffffu;
    ${byRank ? 'edge = rankEdge(edge);' : ''}
    ${byMass ? 'edge = massEdge(edge);' : ''}
    choice = draw(edge, choice);`
        : ''
    }
    if (localIndex == 0u) {
      result[0] = choice;
      position[0] += 1;
      seen[choice / 32] = seen[choice / 32] | bitcast<i32>(1u << u32(choice % 32));
    }
  }`,
  }
}

/** Distances, keys and masses; sums of two words, low and high; the draw by the edge. */
const DRAW = `${PHILOX}
  var<private> top : f32;
  var<workgroup> sums : array<vec2<u32>, ${LINE}>;
  var<workgroup> lows : array<atomic<u32>, ${LINE}>;
  var<workgroup> highs : array<atomic<u32>, ${LINE}>;
  var<workgroup> pick : atomic<u32>;
  var<workgroup> drawn : i32;

  fn distanceOf(i : u32) -> f32 { return (top - scores[i]) * uniforms.inverse; }
  fn keyOf(d : f32) -> u32 { return u32(min(d, ${KEY_END}) * ${KEY_UNIT}.0); }
  fn massOf(d : f32) -> u32 { return u32(exp(-d) * ${MASS_UNIT}.0 + 0.5); }

  fn plus(a : vec2<u32>, b : vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
  }
  fn less(a : vec2<u32>, b : vec2<u32>) -> bool { return a.y < b.y || (a.y == b.y && a.x < b.x); }
  /** floor(fraction / 2^32 x total) */
  fn shareOf(fraction : u32, total : vec2<u32>) -> vec2<u32> {
    return plus(vec2<u32>(fraction * total.y, multiplyHigh(fraction, total.y)), vec2<u32>(multiplyHigh(fraction, total.x), 0u));
  }

  /** Makes each of the sums the sum up to it. */
  fn accumulate() {
    for (var step = 1u; step < ${LINE}u; step = step << 1u) {
      var sum = sums[localIndex];
      if (localIndex >= step) { sum = plus(sum, sums[localIndex - step]); }
      workgroupBarrier();
      sums[localIndex] = sum;
      workgroupBarrier();
    }
  }
  fn before(place : u32) -> vec2<u32> {
    return select(vec2<u32>(), sums[max(place, 1u) - 1u], place > 0u);
  }

  fn keptMass(i : u32, edge : u32) -> u32 {
    let d = distanceOf(i);
    let mass = massOf(d);
    return select(0u, mass, keyOf(d) <= edge && mass >= uniforms.least);
  }

  fn draw(edge : u32, otherwise : i32) -> i32 {
    let each = (u32(uniforms.count) + ${LINE - 1}u) / ${LINE}u;
    let begin = min(localIndex * each, u32(uniforms.count));
    let end = min(begin + each, u32(uniforms.count));
    var sum = vec2<u32>();
    for (var i = begin; i < end; i++) { sum = plus(sum, vec2<u32>(keptMass(i, edge), 0u)); }
    sums[localIndex] = sum;
    if (localIndex == 0u) { drawn = otherwise; }
    workgroupBarrier();
    accumulate();
    let step = u32(position[0] - uniforms.origin);
    let bits = philox(vec4<u32>(0u, 0u, step, 0u), vec2<u32>(uniforms.seed, ${PURPOSES.sample}u)).x;
    let target_ = shareOf(bits, sums[${LINE - 1}]);
    var passed = before(localIndex);
    if (!less(target_, passed) && less(target_, sums[localIndex])) {
      for (var i = begin; i < end; i++) {
        passed = plus(passed, vec2<u32>(keptMass(i, edge), 0u));
        if (less(target_, passed)) { drawn = i32(i); break; }
      }
    }
    workgroupBarrier();
    return drawn;
  }
`

/** `fn rankEdge` or `massEdge(edge) -> edge`: the last key before which lies less than the limit. */
function edgeCode(by: 'rank' | 'mass'): string {
  const mass = by === 'mass'
  return `
  fn ${by}Edge(edge : u32) -> u32 {
    var prefix = 0u;
    var passed = vec2<u32>();
    var limit = vec2<u32>(uniforms.topK, 0u);
    for (var round = 0u; round < 4u; round++) {
      let shift = 24u - 8u * round;
      atomicStore(&lows[localIndex], 0u);
      atomicStore(&highs[localIndex], 0u);
      if (localIndex == 0u) { atomicStore(&pick, 0u); }
      workgroupBarrier();
      for (var i = localIndex; i < u32(uniforms.count); i += ${LINE}u) {
        let d = distanceOf(i);
        let key = keyOf(d);
        if (key <= edge && (round == 0u || (key >> min(shift + 8u, 31u)) == prefix)) {
          let bin = (key >> shift) & 255u;
          let amount = ${mass ? 'massOf(d)' : '1u'};
          let old = atomicAdd(&lows[bin], amount);
          if (old + amount < old) { atomicAdd(&highs[bin], 1u); }
        }
      }
      workgroupBarrier();
      let own = vec2<u32>(atomicLoad(&lows[localIndex]), atomicLoad(&highs[localIndex]));
      sums[localIndex] = own;
      workgroupBarrier();
      accumulate();
      ${
        mass
          ? `if (round == 0u) {
        limit = shareOf(uniforms.topP, sums[${LINE - 1}]);
        limit.x = select(limit.x, 1u, limit.x == 0u && limit.y == 0u);
      }`
          : ''
      }
      if ((own.x > 0u || own.y > 0u) && less(plus(passed, before(localIndex)), limit)) {
        atomicMax(&pick, localIndex);
      }
      workgroupBarrier();
      let bin = atomicLoad(&pick);
      passed = plus(passed, before(bin));
      prefix = (prefix << 8u) | bin;
      workgroupBarrier();
    }
    return prefix;
  }
`
}

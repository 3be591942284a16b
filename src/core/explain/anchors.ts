// Anchors (Ribeiro et al. 2018, "Anchors: High-Precision Model-Agnostic Explanations"): a beam search over sets of pieces
// whose presence keeps the prediction, whatever becomes of the others; which sets are best is settled by KL-LUCB. Two
// things are stricter than in the authors' code: a rule is accepted when its lower bound reaches the precision (theirs may
// stay 0.05 below), and one that cannot be decided within its samples is refused.
import { throwIfAborted } from '../../protocol/errors.ts'
import type { AnchorRule, AnchorSearch } from '../../protocol/explain.ts'
import { words } from '../rng.ts'
import { explorationRate, lowerBound, upperBound } from './bernoulli.ts'

/** 1 for each coalition in which the prediction is that of the whole text. */
export type Agrees = (coalitions: readonly Uint8Array[]) => Promise<Uint8Array>

export const ANCHOR_DEFAULTS = {
  precision: 0.95,
  delta: 0.1,
  tau: 0.15,
  beam: 4,
  batch: 100,
  samples: 2000,
  size: 6,
  seed: 0,
}

export interface AnchorOptions extends Partial<typeof ANCHOR_DEFAULTS> {
  signal?: AbortSignal
  /** Before each round of questions: pieces of the rules that are tried, texts asked so far. */
  onRound?: (size: number, asked: number) => void
}

/** A set of pieces, in the order in which they were added, and what is known about it. */
interface Candidate {
  units: readonly number[]
  tried: number
  held: number
}

export async function anchors(
  players: number,
  agrees: Agrees,
  options: AnchorOptions = {},
): Promise<AnchorSearch> {
  const { precision, delta, beam, batch, samples, size, tau, seed, signal, onRound } = {
    ...ANCHOR_DEFAULTS,
    ...options,
  }
  let drawn = 0
  let asked = 0
  const known = new Map<string, Candidate>()
  const candidate = (units: readonly number[]): Candidate => {
    const key = [...units].sort((a, b) => a - b).join()
    if (!known.has(key)) known.set(key, { units, tried: 0, held: 0 })
    return known.get(key)!
  }
  /** Asks `count` fresh texts for each of some candidates, all at once. */
  const sample = async (candidates: readonly Candidate[], count: number) => {
    throwIfAborted(signal)
    onRound?.(candidates[0]!.units.length, asked)
    const coalitions = candidates.flatMap(({ units }) =>
      Array.from({ length: count }, () => perturbed(players, units, seed, drawn++)),
    )
    const answers = await agrees(coalitions)
    asked += coalitions.length
    candidates.forEach((one, i) => {
      one.tried += count
      for (const held of answers.subarray(i * count, (i + 1) * count)) one.held += held
    })
  }
  // A union bound over all candidates that may be judged: beam - 1 a length and one more.
  const level = Math.log((1 + (beam - 1) * players) / delta)
  const mean = ({ held, tried }: Candidate) => held / tried
  const low = (one: Candidate) => lowerBound(mean(one), level / one.tried)
  const high = (one: Candidate) => upperBound(mean(one), level / one.tried)
  const holds = (one: Candidate) => one.tried > 0 && low(one) >= precision
  /** Asks until a candidate surely is an anchor, surely is none, or has had its samples. */
  const judge = async (one: Candidate) => {
    while (one.tried < samples && (one.tried === 0 || (!holds(one) && high(one) >= precision)))
      await sample([one], batch)
    return holds(one)
  }

  const empty = candidate([])
  let best: Candidate | null = (await judge(empty)) ? empty : null
  let beams: Candidate[] = [empty]
  const judged: Candidate[] = [empty]
  while (!best && beams[0]!.units.length < Math.min(size, players)) {
    const grown = new Set(
      beams.flatMap(({ units }) =>
        Array.from({ length: players }, (_, unit) => unit)
          .filter((unit) => !units.includes(unit))
          .map((unit) => candidate([...units, unit])),
      ),
    )
    beams = await chooseBest([...grown], Math.min(beam, grown.size), { delta, tau, batch, samples }, sample)
    for (const one of beams) {
      // Of the same length all have the same coverage: the most precise one is the rule.
      if ((await judge(one)) && (!best || low(one) > low(best))) best = one
      judged.push(one)
    }
  }
  const rule = best ?? judged.reduce((a, b) => (low(b) > low(a) ? b : a))
  const told = (one: Candidate): AnchorRule => ({
    units: [...one.units].sort((a, b) => a - b),
    precision: mean(one),
    lowerBound: low(one),
    coverage: 0.5 ** one.units.length,
    samples: one.tried,
  })
  const steps = rule.units.map((_, i) => candidate(rule.units.slice(0, i + 1)))
  for (const step of steps) if (step.tried < batch) await sample([step], batch)
  return { ...told(rule), found: best !== null, path: [empty, ...steps].map(told), asked }
}

/** KL-LUCB: the `count` most precise candidates, up to tau, with probability 1 - delta. */
async function chooseBest(
  arms: readonly Candidate[],
  count: number,
  { delta, tau, batch, samples }: { delta: number; tau: number; batch: number; samples: number },
  sample: (candidates: readonly Candidate[], count: number) => Promise<void>,
): Promise<Candidate[]> {
  const fresh = arms.filter(({ tried }) => tried === 0)
  if (fresh.length > 0) await sample(fresh, 1)
  const mean = ({ held, tried }: Candidate) => held / tried
  for (let t = 1; ; t++) {
    const order = [...arms].sort((a, b) => mean(b) - mean(a) || b.tried - a.tried)
    const chosen = order.slice(0, count)
    const others = order.slice(count)
    if (others.length === 0) return chosen
    const rate = explorationRate(arms.length, t, delta)
    const low = (one: Candidate) => lowerBound(mean(one), rate / one.tried)
    const high = (one: Candidate) => upperBound(mean(one), rate / one.tried)
    const weakest = chosen.reduce((a, b) => (low(b) < low(a) ? b : a))
    const strongest = others.reduce((a, b) => (high(b) > high(a) ? b : a))
    const open = [weakest, strongest].filter(({ tried }) => tried < samples)
    if (high(strongest) - low(weakest) <= tau || open.length === 0) return chosen
    await sample(open, batch)
  }
}

/** A text in which the anchored pieces stay and each of the others stays with probability one half. */
export function perturbed(players: number, units: readonly number[], seed: number, draw: number): Uint8Array {
  const random = words({ seed, purpose: 'sample', step: draw }, Math.ceil(players / 32))
  const coalition = Uint8Array.from({ length: players }, (_, i) => (random[i >>> 5]! >>> (i & 31)) & 1)
  for (const unit of units) coalition[unit] = 1
  return coalition
}

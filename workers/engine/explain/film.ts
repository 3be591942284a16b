// graft.explain.film: the frames that a run recorded, or frames computed now: from stored checkpoints, or at strengths of
// the adapter.
import { filmShot, shotBytes, unpackAttention, type Shot } from '../../../src/core/explain/film.ts'
import { answers } from '../../../src/core/explain/answers.ts'
import { checkSize } from '../../../src/core/explain/inspect.ts'
import { greedy } from '../../../src/core/generate/sampler.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import {
  FILM_MAPS,
  type ComputedFilmRequest,
  type FilmFrame,
  type FilmResult,
  type RecordedFilmRequest,
} from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { readFilm } from '../../../src/store/films.ts'
import { getRun } from '../../../src/store/runs.ts'
import { namesOf } from '../film.ts'
import { checkIds, explainedPosition, inputIds } from '../questions.ts'
import type { ResolvedTarget } from '../targets.ts'
import { secondsLeft } from '../time.ts'
import { checkOneOf } from './checks.ts'
import { outputIndex, withTarget, type Desk, type Explainer } from './desk.ts'

const STRENGTHS = [0, 0.25, 0.5, 0.75, 1]
/** Strengths of one film. */
const STRENGTHS_LIMIT = 101

export const film: Explainer<'film'> = async (desk, target, request = {}, context) => {
  const { over = 'steps', from } = request
  checkOneOf('over', over, ['steps', 'strength'])
  checkOneOf('from', from, ['recording', 'checkpoints'])
  if (over === 'strength') return overStrength(desk, target, request as ComputedFilmRequest, context)
  if (from === 'checkpoints') return overCheckpoints(desk, target, request as ComputedFilmRequest, context)
  return recorded(desk, target, request as RecordedFilmRequest)
}

async function recorded(desk: Desk, target: Target, { text }: RecordedFilmRequest): Promise<FilmResult> {
  if (!('run' in target)) throw notARun()
  const { film: info, config, step } = await getRun(desk.store, target.run)
  if (!info)
    throw new GraftError(
      'E_NOT_FOUND',
      `"${config.name}" was trained without a film. Ask with from: 'checkpoints' for a film of its stored checkpoints, or start a run with film: { texts: [...] }.`,
      { run: target.run, step },
    )
  const at = typeof text === 'string' ? info.texts.findIndex((pinned) => pinned.text === text) : (text ?? 0)
  const script = info.texts[at]
  if (!script)
    throw new GraftError(
      'E_ARGUMENT',
      `The film of "${config.name}" has no such text. It shows: ${info.texts.map((pinned, i) => `${i} "${short(pinned.text)}"`).join(', ')}. Other texts can be filmed with from: 'checkpoints'.`,
      { texts: info.texts.length },
    )
  const frames = (await readFilm(desk.store, target.run, at)).map((frame) =>
    frameOf(frame.step, { ...frame, attention: frame.attention && unpackAttention(frame.attention) }),
  )
  const { layers, heads, seconds, bytes } = info
  const { ids, tokens, cut } = script
  return {
    over: 'steps',
    from: 'recording',
    text: script.text,
    tokens,
    ids,
    cut,
    layers,
    heads,
    frames,
    seconds,
    bytes,
  }
}

async function overCheckpoints(
  desk: Desk,
  target: Target,
  request: ComputedFilmRequest,
  context: CallContext,
): Promise<FilmResult> {
  if (!('run' in target)) throw notARun()
  const { checkpoints, config } = await getRun(desk.store, target.run)
  if (checkpoints.length === 0)
    throw new GraftError('E_NOT_FOUND', `The run "${config.name}" has no checkpoint yet.`, {
      run: target.run,
    })
  const { run, strength } = target
  const moments = checkpoints.map(({ id, step }) => ({
    target: { run, checkpoint: id, ...(strength !== undefined && { strength }) },
    at: step,
    checkpoint: id,
  }))
  return computed(desk, moments, request, { over: 'steps', from: 'checkpoints' }, context)
}

async function overStrength(
  desk: Desk,
  target: Target,
  request: ComputedFilmRequest,
  context: CallContext,
): Promise<FilmResult> {
  const values = request.values ?? STRENGTHS
  if (
    !Array.isArray(values) ||
    values.length < 1 ||
    values.length > STRENGTHS_LIMIT ||
    values.some((value) => !(value >= 0 && value <= 1))
  )
    throw new GraftError('E_ARGUMENT', `values must be 1 to ${STRENGTHS_LIMIT} strengths from 0 to 1.`, {
      setting: 'values',
    })
  if ('model' in target && target.adapter === undefined)
    throw new GraftError(
      'E_ARGUMENT',
      'An untrained base has no adapter whose strength could change. Choose a run, or an imported adapter.',
    )
  const moments = values.map((value) => ({ target: { ...target, strength: value }, at: value }))
  return computed(desk, moments, request, { over: 'strength', from: 'strength' }, context)
}

/** A frame is computed for one target after the other. */
interface Moment {
  target: Target
  at: number
  checkpoint?: string
}

async function computed(
  desk: Desk,
  moments: Moment[],
  request: ComputedFilmRequest,
  kind: Pick<FilmResult, 'over' | 'from'>,
  { signal, progress }: CallContext,
): Promise<FilmResult> {
  const started = performance.now()
  const maps = request.maps ?? [...FILM_MAPS]
  for (const map of maps) checkOneOf('map', map, FILM_MAPS)
  const last = moments.at(-1)!
  // The last frame says what is explained in all of them, and how large they are.
  const { output, ...read } = await withTarget(desk, last.target, async (resolved) => {
    const { base } = resolved
    const ids = inputIds(resolved, request)
    checkIds(ids, base.model.architecture)
    const { layers, heads } = base.model.architecture
    checkSize(ids.length, (moments.length * shotBytes({ layers, heads }, ids.length, maps)) / 2)
    const position = explainedPosition(resolved, ids)
    const { logits } = await answers(askedOf(desk, resolved), [{ ids, position }], 'all')
    const output = outputIndex(request.output, resolved, logits.length) ?? greedy(logits)
    return { output, ids, layers, heads, tokens: base.tokenizer.tokens(ids) }
  })
  const frames: FilmFrame[] = []
  const total = moments.length
  for (const { target, at, checkpoint } of moments) {
    const shot = await withTarget(desk, target, (resolved) => {
      const scene = { ids: read.ids, position: explainedPosition(resolved, read.ids), output }
      return filmShot(askedOf(desk, resolved), scene, maps, namesOf(resolved.base, resolved.labels), signal)
    })
    frames.push({ ...frameOf(at, shot), ...(checkpoint !== undefined && { checkpoint }) })
    const done = frames.length
    progress({
      label: 'Taking frames',
      done,
      total,
      unit: 'items',
      secondsLeft: secondsLeft(started, done, total),
    })
  }
  const seconds = (performance.now() - started) / 1000
  return { ...kind, text: textOf(request), ...read, cut: 0, frames, seconds }
}

function askedOf({ turns }: Desk, { base, trainable }: ResolvedTarget) {
  return { model: base.model, trainable, turns, padId: base.padId, maskId: base.tokenizer.maskId }
}

function frameOf(at: number, { attention, saliency, explained, outputs }: Shot): FilmFrame {
  return {
    at,
    attention,
    saliency,
    // The likeliest stand first.
    prediction: outputs[0]!,
    explained: outputs.find(({ index }) => index === explained)!,
    outputs,
  }
}

function textOf(request: ComputedFilmRequest): string {
  return 'text' in request ? request.text : request.messages.map(({ content }) => content).join('\n')
}

function notARun(): GraftError {
  return new GraftError(
    'E_ARGUMENT',
    "Only a run has a film over its steps. Of an adapter ask with over: 'strength'.",
  )
}

function short(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}

// A run's film while it trains: what each pinned text is read as, a frame of all of them when one is due, kept in the
// store, thinned when it is full. A film that cannot go on ends; the training does not.
import type { Asked } from '../../src/core/explain/subject.ts'
import { filmShot, packAttention, shotBytes, type Scene } from '../../src/core/explain/film.ts'
import { filmAhead, filmInterval, isFrame, roomFor, type FilmHook } from '../../src/core/train/film.ts'
import { classifyIds } from '../../src/data/examples.ts'
import { renderPrompt } from '../../src/data/templates.ts'
import type { TaskConfig } from '../../src/protocol/data.ts'
import { asGraftError, GraftError } from '../../src/protocol/errors.ts'
import {
  FILM_BYTES,
  FILM_TOKENS,
  type FilmConfig,
  type FilmInfo,
  type FilmScript,
  type FilmText,
} from '../../src/protocol/explain.ts'
import type { RunConfig } from '../../src/protocol/run.ts'
import type { FrameRecord, Store } from '../../src/store/database.ts'
import { filmSteps, keepFrames, putFrames } from '../../src/store/films.ts'
import type { LoadedModel } from './models.ts'
import { explainedPosition } from './questions.ts'

/** What reading a run's texts depends on. */
export interface FilmReading {
  base: LoadedModel
  taskConfig: TaskConfig
  labels: string[] | null
  config: Pick<RunConfig, 'training'>
}

/** A film before its first frame. Throws E_ARGUMENT for an output that is no label, E_LIMIT for maps that do not fit. */
export function newFilm(film: FilmConfig, reading: FilmReading, steps: number): FilmInfo {
  const { layers, heads } = reading.base.model.architecture
  const texts = film.texts.map((text) => scriptOf(text, reading))
  const info: FilmInfo = {
    texts,
    maps: film.maps,
    layers,
    heads,
    every: filmInterval(film.every, steps),
    frames: 0,
    bytes: 0,
    seconds: 0,
  }
  // The first frame, the last one, and one between them.
  if (3 * frameBytes(info) > FILM_BYTES)
    throw new GraftError(
      'E_LIMIT',
      `One frame of this film takes ${megabytes(frameBytes(info))} MB: ${layers} layers x ${heads} heads of ${texts.length} texts. A film may take ${megabytes(FILM_BYTES)} MB in all. Pin fewer or shorter texts.`,
      { bytes: frameBytes(info), limit: FILM_BYTES },
    )
  return info
}

/** Bytes of all texts after one step. */
export function frameBytes({ texts, maps, layers, heads }: FilmInfo): number {
  return texts.reduce((sum, { ids }) => sum + shotBytes({ layers, heads }, ids.length, maps), 0)
}

/** Frames and bytes that a film comes to, from its first step on. */
export function filmSize(info: FilmInfo, steps: number): ReturnType<typeof filmAhead> {
  return filmAhead(steps, info.every, frameBytes(info))
}

/** A pinned text as the run reads it, cut to FILM_TOKENS. */
function scriptOf(given: FilmText, { base, taskConfig, labels, config }: FilmReading): FilmScript {
  const { text, output } = given
  if (labels && output !== undefined && !labels.includes(output))
    throw new GraftError(
      'E_ARGUMENT',
      `"${output}" is the output of a film's text, but not one of the labels: ${labels.join(', ')}.`,
      { output },
    )
  const length = Math.min(FILM_TOKENS, config.training.maxLength, base.info.context)
  const { ids, cut } = labels
    ? labelled(base, text, length)
    : asked(text, length, (part) => renderPrompt(taskConfig, base.tokenizer, part).ids)
  return { ...given, ids, tokens: base.tokenizer.tokens(ids), cut }
}

function labelled({ tokenizer }: LoadedModel, text: string, length: number) {
  const whole = classifyIds(tokenizer, text, Number.MAX_SAFE_INTEGER).ids
  const { ids } = classifyIds(tokenizer, text, length)
  return { ids, cut: whole.length - ids.length }
}

/** A prompt is cut inside: what the task writes after it stands before the answer and must stay. */
function asked(text: string, length: number, read: (part: string) => number[]) {
  const whole = read(text)
  if (whole.length <= length) return { ids: whole, cut: 0 }
  const characters = [...text]
  // The longest beginning that fits; tokens grow with the characters, but for a seam here and there.
  let [fits, exceeds] = [0, characters.length]
  while (exceeds - fits > 1) {
    const middle = (fits + exceeds) >> 1
    if (read(characters.slice(0, middle).join('')).length <= length) fits = middle
    else exceeds = middle
  }
  const ids = read(characters.slice(0, fits).join(''))
  if (fits === 0 || ids.length > length)
    throw new GraftError(
      'E_LIMIT',
      `What the task writes around a text takes ${ids.length} tokens; a film shows at most ${length}.`,
      { tokens: ids.length, limit: length },
    )
  return { ids, cut: whole.length - ids.length }
}

/** What is filmed of each text. */
export function scenesOf(
  { texts }: Pick<FilmInfo, 'texts'>,
  base: LoadedModel,
  labels: string[] | null,
): Scene[] {
  return texts.map(({ ids, output }) => ({
    ids,
    position: explainedPosition({ base, labels }, ids),
    output: output === undefined ? null : outputOf(output, base, labels),
  }))
}

function outputOf(output: string, { tokenizer }: LoadedModel, labels: string[] | null): number | null {
  return labels ? labels.indexOf(output) : (tokenizer.encode(output, { special: false })[0] ?? null)
}

export function namesOf(base: LoadedModel, labels: string[] | null): (index: number) => string {
  return (index) => (labels ? (labels[index] ?? String(index)) : base.tokenizer.tokens([index])[0]!)
}

export interface RecorderOptions {
  store: Store
  run: string
  info: FilmInfo
  base: LoadedModel
  labels: string[] | null
  /** The live model. */
  asked: () => Asked
  /** The run's record is to hold this. */
  tell: (info: FilmInfo) => Promise<void>
  /** Something that ended the film. */
  fault: (error: GraftError) => void
}

export class FilmRecorder implements FilmHook {
  readonly #options: RecorderOptions
  readonly #scenes: Scene[]
  #info: FilmInfo
  /** Bytes of the frames that are kept, by step. */
  #frames: Map<number, number>

  private constructor(options: RecorderOptions, frames: Map<number, number>) {
    this.#options = options
    this.#scenes = scenesOf(options.info, options.base, options.labels)
    this.#frames = frames
    this.#info = this.#counted(options.info)
  }

  /** For a run that goes on after `step`: later frames, and one that stands where a stop put it, are made anew. */
  static async open(options: RecorderOptions, step: number): Promise<FilmRecorder> {
    const { store, run, info } = options
    await keepFrames(store, run, (at) => at <= step && isFrame(at, info.every, false))
    const { problem: _problem, ...again } = info
    return new FilmRecorder({ ...options, info: again }, await filmSteps(store, run))
  }

  due(step: number, last: boolean): boolean {
    return (
      this.#info.problem === undefined && !this.#frames.has(step) && isFrame(step, this.#info.every, last)
    )
  }

  async take(step: number, last: boolean): Promise<void> {
    const started = performance.now()
    try {
      await this.#take(step, last)
    } catch (thrown) {
      const error = asGraftError(thrown)
      this.#info = { ...this.#info, problem: error.message }
      this.#options.fault(error)
    }
    this.#info = this.#counted(this.#info)
    this.#info.seconds += (performance.now() - started) / 1000
    await this.#options.tell(this.#info)
  }

  async #take(step: number, last: boolean): Promise<void> {
    const { store, run } = this.#options
    const bytes = frameBytes(this.#info)
    const every = roomFor(this.#frames, bytes, this.#info.every)
    if (every !== this.#info.every) {
      await keepFrames(store, run, (at) => at % every === 0)
      this.#info = { ...this.#info, every }
      for (const at of [...this.#frames.keys()]) if (at % every !== 0) this.#frames.delete(at)
      if (!isFrame(step, every, last)) return
    }
    const frames: FrameRecord[] = []
    for (const text of this.#scenes.keys()) frames.push(await this.#frame(step, text))
    await putFrames(store, frames)
    this.#frames.set(step, bytes)
  }

  async #frame(step: number, text: number): Promise<FrameRecord> {
    const { run, base, labels, asked } = this.#options
    const { maps } = this.#info
    const scene = this.#scenes[text]!
    const shot = await filmShot(asked(), scene, maps, namesOf(base, labels))
    return {
      run,
      text,
      step,
      bytes: shotBytes(this.#info, scene.ids.length, maps),
      attention: shot.attention && packAttention(shot.attention),
      saliency: shot.saliency,
      explained: shot.explained,
      outputs: shot.outputs,
    }
  }

  #counted(info: FilmInfo): FilmInfo {
    const bytes = [...this.#frames.values()].reduce((sum, size) => sum + size, 0)
    return { ...info, frames: this.#frames.size, bytes }
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

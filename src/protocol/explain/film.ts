// Films: attention and saliency of a text as the model changes, over the steps of its training or over the strength of
// its adapter. A run records one while it trains; any run or adapter can be filmed afterwards.
import type { ExplainInput } from './common.ts'

export const FILM_MAPS = ['attention', 'saliency'] as const
export type FilmMap = (typeof FILM_MAPS)[number]

/** Texts that a run may pin. */
export const FILM_TEXTS = 4
/** Tokens of a pinned text: a map grows with their square. */
export const FILM_TOKENS = 64
/** What a run's film may take in the browser's storage. When it is reached, every second frame goes. */
export const FILM_BYTES = 64 * 1024 * 1024
/** Frames that the interval is chosen for, where it is left open. */
export const FILM_FRAMES = 20

/** A pinned text, read as the run's task reads it: a text to classify, a prompt, a question. */
export interface FilmText {
  text: string
  /** What is right: a label, or the beginning of the answer (its first token counts). Its score is then explained, in
   *  place of the most likely output's. */
  output?: string
}

/** What `runs.start` takes. */
export interface FilmRequest {
  texts: (string | FilmText)[]
  /** Optimizer steps between frames; 0 (default): as many as give about FILM_FRAMES frames. */
  every?: number
  /** Default: both. */
  maps?: FilmMap[]
}

export interface FilmConfig {
  texts: FilmText[]
  every: number
  maps: FilmMap[]
}

/** A pinned text as it is read. */
export interface FilmScript extends FilmText {
  ids: number[]
  tokens: string[]
  /** Tokens that were left out beyond FILM_TOKENS. */
  cut: number
}

/** A run's film: what there is of it. */
export interface FilmInfo {
  texts: FilmScript[]
  maps: FilmMap[]
  layers: number
  heads: number
  /** Steps between frames now: twice as many each time that the film was full. */
  every: number
  frames: number
  bytes: number
  /** Seconds that recording took, of the run's own. */
  seconds: number
  /** Why it ended before the run. */
  problem?: string
}

/** What a film would take, before the run. */
export interface FilmPlan {
  /** Frames that are left at the end, and the steps between them. */
  frames: number
  every: number
  /** From a frame that was measured here. */
  seconds: number
  bytes: number
  texts: { text: string; tokens: number; cut: number }[]
}

export interface FilmOutput {
  name: string
  index: number
  logit: number
  probability: number
}

export interface FilmFrame {
  /** Optimizer steps, or the adapter's strength. */
  at: number
  /** The stored checkpoint it was computed from. */
  checkpoint?: string
  /** [L, H, T, T], as in `attention`; null where it was not asked for. */
  attention: Float32Array | null
  /** [T]: gradient x input of `explained`; null where it was not asked for. */
  saliency: Float32Array | null
  /** The most likely output. */
  prediction: FilmOutput
  /** The output whose logit `saliency` explains. */
  explained: FilmOutput
  /** The likeliest first: every label up to FILM_OUTPUTS of them, or that many tokens; the explained one is among them. */
  outputs: FilmOutput[]
}

/** Outputs that a frame names. */
export const FILM_OUTPUTS = 10

/** A film that the run recorded: one of its pinned texts. */
export interface RecordedFilmRequest {
  from?: 'recording'
  over?: 'steps'
  /** A pinned text, or its number from 0 (default: the first). */
  text?: string | number
}

/** A film that is computed now, from stored checkpoints or at several strengths, of any text. */
export type ComputedFilmRequest = ExplainInput & {
  from?: 'checkpoints'
  over?: 'steps' | 'strength'
  /** Strengths from 0 to 1; default 0, 0.25, 0.5, 0.75, 1. */
  values?: number[]
  /** A label's name or index, or a token id; default: the most likely one of the last frame. */
  output?: string | number
  /** Default: both. */
  maps?: FilmMap[]
}

export type FilmAsk = RecordedFilmRequest | ComputedFilmRequest

export interface FilmResult {
  over: 'steps' | 'strength'
  /** Recorded in training, or computed from checkpoints or strengths now. */
  from: 'recording' | 'checkpoints' | 'strength'
  text: string
  tokens: string[]
  ids: number[]
  /** Tokens of the text that were left out. */
  cut: number
  layers: number
  heads: number
  frames: FilmFrame[]
  /** Seconds that it took to record or compute, and of a recording the bytes it takes in storage. */
  seconds: number
  bytes?: number
}

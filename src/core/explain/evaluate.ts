// A game asked in portions: progress after each, and a place to stop.
import { throwIfAborted } from '../../protocol/errors.ts'
import type { Game } from './game.ts'

export interface EvaluateOptions {
  signal?: AbortSignal
  /** Coalitions asked so far, of how many. */
  onEvaluated?: (done: number, total: number) => void
}

/** Coalitions between two reports: a full batch of short texts. */
const PORTION = 64

export class Evaluator {
  done = 0
  readonly #game: Game
  readonly #total: number
  readonly #options: EvaluateOptions

  /** `total`: coalitions that will be asked in all. */
  constructor(game: Game, total: number, options: EvaluateOptions) {
    this.#game = game
    this.#total = total
    this.#options = options
  }

  async values(coalitions: readonly Uint8Array[]): Promise<Float64Array> {
    const found = new Float64Array(coalitions.length)
    for (let start = 0; start < coalitions.length; start += PORTION) {
      throwIfAborted(this.#options.signal)
      const portion = coalitions.slice(start, start + PORTION)
      found.set(await this.#game.values(portion), start)
      this.done += portion.length
      this.#options.onEvaluated?.(this.done, Math.max(this.done, this.#total))
    }
    throwIfAborted(this.#options.signal)
    return found
  }

  /** The values of nobody and of everybody. */
  async ends(): Promise<[nobody: number, everybody: number]> {
    const { players } = this.#game
    const [nobody, everybody] = await this.values([new Uint8Array(players), new Uint8Array(players).fill(1)])
    return [nobody!, everybody!]
  }
}

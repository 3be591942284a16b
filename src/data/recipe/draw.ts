// Random numbers for one row of one step: a pure function of the recipe's seed, the step and the row's raw id, so that rows
// added later change nothing of those before them.
import { words, type Purpose } from '../rng.ts'

const BLOCKS = 4

export class Draw {
  #words: Uint32Array = new Uint32Array(0)
  #at = 0
  #block = 0

  constructor(
    private readonly seed: number,
    private readonly purpose: Purpose,
    private readonly salt: number,
    private readonly id: number,
  ) {}

  /** 32 random bits. */
  word(): number {
    if (this.#at === this.#words.length) {
      const { seed, purpose, salt: step, id: layer } = this
      this.#words = words({ seed, purpose, step, layer }, BLOCKS * 4, this.#block)
      this.#block += BLOCKS
      this.#at = 0
    }
    return this.#words[this.#at++]!
  }

  /** Uniform in [0, 1). */
  share(): number {
    return this.word() / 0x100000000
  }

  /** A whole number from 0 to count - 1. */
  below(count: number): number {
    return Math.floor(this.share() * count)
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!
  }
}

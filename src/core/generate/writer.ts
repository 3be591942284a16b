// Writing on a device that chooses its tokens itself: a token is computed while the one before it is being read, four bytes
// each. What is computed behind an answer's end is thrown away. A token asks the same of the device as the one before it, so
// the second is recorded and the others are replayed.
import { dispose, keep, tensor1d, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Transformer } from '../models/transformer.ts'
import type { Adaptation } from '../nn/adaptation.ts'
import type { Pass } from '../nn/layer.ts'
import { StepModel } from '../nn/step.ts'
import { AttentionLayout } from '../ops/layout.ts'
import type { Ops } from '../ops/ops.ts'
import type { Recorder, Recording } from '../ops/recorder.ts'
import type { KeyValueCache, StepOps, TextState } from '../ops/step.ts'
import { readTokens, type DecodeOptions, type Writer } from './generate.ts'

/** Tokens that are computed ahead of the one that is asked for. */
const AHEAD = 1

export class DeviceWriter implements Writer {
  readonly #options: DecodeOptions
  readonly #caches: KeyValueCache[]
  readonly #limit: number
  readonly #model: Transformer
  readonly #ops: Ops & { step: StepOps }
  readonly #adaptation: Adaptation | null
  /** Tokens on their way, the oldest first. */
  readonly #coming: Promise<number>[] = []
  #begun = 0
  #step: StepModel | null = null
  #state: TextState | null = null
  #layout: AttentionLayout | null = null
  #recorder: Recorder | null = null
  #recording: Recording | null = null

  /** `limit`: tokens at most. */
  constructor(options: DecodeOptions, caches: KeyValueCache[], limit: number) {
    this.#options = options
    this.#caches = caches
    this.#limit = limit
    this.#model = options.model
    this.#ops = options.model.ops as Ops & { step: StepOps }
    // One adapter for the whole answer: the cache would mix two otherwise.
    this.#adaptation = options.adaptation()
  }

  async next(): Promise<number> {
    while (this.#coming.length <= AHEAD && this.#begun < this.#limit) await this.#begin()
    return this.#coming.shift()!
  }

  async dispose(): Promise<void> {
    // Nobody waits for what is left, but its tensors are freed when it has come.
    await Promise.allSettled(this.#coming)
    this.#recording?.dispose()
    this.#recorder?.dispose()
    this.#step?.dispose()
    this.#layout?.dispose()
    if (this.#state) dispose([this.#state.token, this.#state.position, this.#state.seen])
  }

  /** Has one more token computed, and read in its own time. */
  async #begin(): Promise<void> {
    // In an object, so that the turn does not wait for it.
    const { coming } = await this.#options.turns.take(() => ({ coming: this.#write() }))
    // Its failure belongs to whoever asks for this token.
    coming.catch(() => undefined)
    this.#begun++
    this.#coming.push(coming)
  }

  async #write(): Promise<number> {
    if (this.#begun === 0) this.#choose(this.#readPrompt())
    else this.#writeNext()
    return this.#ops.step.read(this.#state!)
  }

  /** A further token, recorded once and replayed until the caches grow. */
  #writeNext(): void {
    const grown = this.#caches.map((cache) => cache.reserve(1)).includes(true)
    if (this.#recorder && (grown || !this.#recording?.intact())) {
      this.#recording?.dispose()
      this.#recording = this.#recorder.record(() => this.#choose(this.#readNewest()))
    }
    if (this.#recording) this.#recording.replay()
    else this.#choose(this.#readNewest())
    for (const cache of this.#caches) cache.length++
  }

  #choose(logits: Tensor): void {
    try {
      this.#ops.step.choose(logits, this.#options.sampling, this.#state!)
    } finally {
      logits.dispose()
    }
  }

  #readPrompt(): Tensor {
    const { prompt } = this.#options
    const { head, parts, architecture } = this.#model
    this.#step = new StepModel(this.#ops, { ...parts, head }, this.#adaptation)
    this.#recorder = this.#ops.recorder?.() ?? null
    this.#state = textState(prompt, architecture.vocab)
    this.#layout = new AttentionLayout({
      batch: 1,
      queryPositions: new Int32Array(1),
      querySegments: new Int32Array(1),
    })
    return readTokens(this.#model, prompt, 0, this.#caches, this.#adaptation)
  }

  #readNewest(): Tensor {
    const { token, position } = this.#state!
    const pass: Pass = this.#model.pass({ layout: this.#layout!, positions: position }, this.#adaptation)
    return tidy(() => this.#step!.logits(this.#model.embed(token, pass), position, this.#caches))
  }
}

/** The prompt's last token and what has been seen, on the device. */
function textState(prompt: readonly number[], vocab: number): TextState {
  const bits = new Int32Array(Math.ceil(vocab / 32))
  for (const id of prompt) bits[id >> 5]! |= 1 << (id & 31)
  const origin = prompt.length - 1
  return {
    token: keep(tensor1d([prompt[origin]!], 'int32')),
    position: keep(tensor1d([origin], 'int32')),
    seen: keep(tensor1d(bits, 'int32')),
    origin,
  }
}

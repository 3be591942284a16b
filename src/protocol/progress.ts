// How long work reports itself: one shape for imports, downloads, training and explanations.

export interface Progress {
  /** What is being done, in the user's words: "Reading support.csv". */
  label: string
  done: number
  /** Absent while the end is unknown. */
  total?: number
  unit: 'bytes' | 'rows' | 'steps' | 'tokens' | 'items'
  /** Estimated, absent until there is something to estimate from. */
  secondsLeft?: number
  /** generate only: the answer so far. */
  text?: string
}

/** What a long call receives beside its arguments. */
export interface CallContext {
  signal: AbortSignal
  progress(progress: Progress): void
  /** Large buffers of the answer that nobody here needs any longer: they are handed over, not copied. */
  handOver?(buffer: ArrayBufferLike): void
}

/** Options of every long call of the client and the scripting API. */
export interface CallOptions {
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

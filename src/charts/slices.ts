// Long work on the page in slices that leave a frame time to be drawn.

/** Milliseconds of a frame that a slice may take: what else a frame does fits into the rest of 16.7. */
const BUDGET = 6

const nextFrame = () => new Promise<void>((resolve) => requestAnimationFrame(() => resolve()))

/**
 * Goes through a generator, a slice a frame, and gives what it returns; undefined once `stopped` says so.
 * @param pause waits for the next slice; the next frame of the page by default
 * @param onSlice hears how long each slice took, in milliseconds
 */
export async function inSlices<T>(
  work: Generator<void, T>,
  stopped: () => boolean = () => false,
  {
    pause = nextFrame,
    onSlice,
  }: { pause?: () => Promise<void>; onSlice?: (milliseconds: number) => void } = {},
): Promise<T | undefined> {
  for (;;) {
    const started = performance.now()
    do {
      const { done, value } = work.next()
      if (done) {
        onSlice?.(performance.now() - started)
        return value
      }
    } while (performance.now() - started < BUDGET)
    onSlice?.(performance.now() - started)
    await pause()
    if (stopped()) return undefined
  }
}

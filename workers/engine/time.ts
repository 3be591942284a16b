// Time left, from the pace so far.

/** Seconds until `total` is reached, at the mean pace since `started` (performance.now()). */
export function secondsLeft(started: number, done: number, total: number): number {
  if (done <= 0) return 0
  return ((performance.now() - started) / 1000 / done) * Math.max(0, total - done)
}

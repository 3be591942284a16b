// When a film takes its frames. They stand at multiples of an interval, before the first step and at the end; a film that
// grows beyond its bytes loses every second frame and goes on at twice the interval. Which frames are left is a function
// of the steps alone, so a resumed run has the film of an uninterrupted one.
import { FILM_BYTES, FILM_FRAMES } from '../../protocol/explain.ts'

/** What a trainer asks between its steps, while nothing trains. */
export interface FilmHook {
  /** Whether a frame belongs after this step; `last`: no other step follows. */
  due(step: number, last: boolean): boolean
  /** Takes it. Must not throw for the film's own troubles: they are none of the training's. */
  take(step: number, last: boolean): Promise<void>
}

/** Steps between frames where the interval is left open. */
export function filmInterval(every: number, steps: number): number {
  return every || Math.max(1, Math.ceil(steps / FILM_FRAMES))
}

export function isFrame(step: number, every: number, last: boolean): boolean {
  return last || step % every === 0
}

/** The interval at which another frame fits beside those that are there; bytes by step. */
export function roomFor(
  frames: ReadonlyMap<number, number>,
  bytes: number,
  every: number,
  budget = FILM_BYTES,
): number {
  let kept = [...frames]
  while (kept.length > 1 && kept.reduce((sum, [, size]) => sum + size, bytes) > budget) {
    every *= 2
    kept = kept.filter(([step]) => step % every === 0)
  }
  return every
}

/** What a film of frames of one size comes to: those taken, those left, and the interval at the end. */
export function filmAhead(steps: number, every: number, frameBytes: number, budget = FILM_BYTES) {
  const frames = new Map<number, number>()
  let taken = 0
  for (let step = 0; step <= steps; step++) {
    const last = step === steps
    if (!isFrame(step, every, last)) continue
    const next = roomFor(frames, frameBytes, every, budget)
    if (next !== every) {
      every = next
      for (const at of [...frames.keys()]) if (at % every !== 0) frames.delete(at)
      if (!isFrame(step, every, last)) continue
    }
    frames.set(step, frameBytes)
    taken++
  }
  return { taken, kept: [...frames.keys()], every, bytes: frames.size * frameBytes }
}

// Films of runs: a record for each pinned text and frame, so that one text is read without the others. Frames that a run
// makes anew after a resume replace those of before.
import type { FrameRecord, Store } from './database.ts'
import { guarded } from './quota.ts'

/** Writes the frames of one step, all or none. */
export async function putFrames(store: Store, frames: FrameRecord[]): Promise<void> {
  const bytes = frames.reduce((sum, frame) => sum + frame.bytes, 0)
  await guarded(() => store.main.frames.bulkPut(frames), bytes)
}

/** Bytes of the frames of each step that is there, by step. */
export async function filmSteps(store: Store, run: string): Promise<Map<number, number>> {
  const steps = new Map<number, number>()
  await guarded(() =>
    store.main.frames
      .where('run')
      .equals(run)
      .each(({ step, bytes }) => void steps.set(step, (steps.get(step) ?? 0) + bytes)),
  )
  return new Map([...steps].sort(([a], [b]) => a - b))
}

/** Forgets the frames of every step that is not kept. */
export async function keepFrames(store: Store, run: string, kept: (step: number) => boolean): Promise<void> {
  const { frames } = store.main
  await guarded(async () => {
    const keys = await frames.where('run').equals(run).primaryKeys()
    await frames.bulkDelete(keys.filter(([, , step]) => !kept(step)))
  })
}

/** The frames of one text, by step. */
export function readFilm(store: Store, run: string, text: number): Promise<FrameRecord[]> {
  return guarded(() =>
    store.main.frames
      .where('[run+text+step]')
      .between([run, text, -Infinity], [run, text, Infinity])
      .toArray(),
  )
}

export async function removeFilm(store: Store, run: string): Promise<void> {
  await keepFrames(store, run, () => false)
}

// What is seen of a film where its scrubber stands: what every drawing of a frame is given.
import type { FilmFrame, FilmResult } from '../../../protocol/explain.ts'

export interface FilmView {
  film: FilmResult
  frame: FilmFrame
  /** Drawn as the difference from it. */
  first: FilmFrame | undefined
  /** Its tokens as they are shown. */
  labels: string[]
  /** What frames are counted by. */
  axis: 'step' | 'strength'
  /** "step 12" */
  sayAt: (at: number) => string
  /** An output as it is shown. */
  named: (name: string) => string
  /** What a figure's file says about it. */
  about: Record<string, unknown>
}

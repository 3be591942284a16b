// Steps that are recorded once and replayed. What a step asks of the device depends on shapes alone, so the second step of
// a shape needs none of the JavaScript that made the first: the same dispatches run again, over inputs and numbers that
// are written anew (changing.ts).
import type { Tensor } from '@tensorflow/tfjs-core'
import type { Changing } from './changing.ts'

/** A list of dispatches. */
export interface Recording {
  readonly dispatches: number
  /** Whether the tensors that it reads and writes are still where they were. */
  intact(): boolean
  /** Hands the dispatches to the device, in few submits. Everything asked of it before runs before. */
  replay(): void
  dispose(): void
}

/** Loss, norm and energy of steps, kept on the device until they are read. */
export interface StepLog {
  /** Adds a micro-batch's loss and energy (both []) to those of the step. */
  add(loss: Tensor, energy: Tensor): void
  /** Ends the step: its three numbers go to a place below the log's capacity. */
  close(norm: Tensor, place: Changing): void
  /** The numbers of the first `steps` places. They are copied at once, before any later step; only the answer is waited
   *  for. One call at a time. */
  read(steps: number): Promise<Float32Array>
  dispose(): void
}

/** Numbers of the rows of steps, one micro-batch after the other, kept on the device until they are read. */
export interface RowLog {
  /** Copies all elements of a tensor to a place below the log's capacity. */
  add(values: Tensor, place: Changing): void
  /** The first `count` numbers; as StepLog.read. */
  read(count: number): Promise<Float32Array>
  dispose(): void
}

/** Its recordings share memory: they run one after the other. */
export interface Recorder {
  /**
   * What `work` would have dispatched, none of which is done. Tensors made within are the recording's own, and must be
   * gone when `work` returns; others stay where they are, and are read and written there at each replay.
   * Null where `work` needs something that cannot be replayed, such as an op of tfjs.
   */
  record(work: () => void): Recording | null
  log(capacity: number): StepLog
  rowLog(capacity: number): RowLog
  /** Writes a tensor that recordings read, before the next replay. */
  write(tensor: Tensor, values: Int32Array | Float32Array): void
  /** Resolves when the device has done all that it was asked for until now. */
  done(): Promise<void>
  /** Bytes of what the recordings share. */
  readonly bytes: number
  dispose(): void
}

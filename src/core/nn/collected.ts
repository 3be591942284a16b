// What a computation leaves in the tidy around it. A trace that is kept from the forward pass to the backward pass owns
// every tensor that its layers made: they must go when the gradient has passed, and also when anything fails before.
import { engine, type Tensor } from '@tensorflow/tfjs-core'

/** Runs `work` inside a tidy, which goes on to own all that it makes; `made` are those tensors, for who wants them to go
 *  earlier. What was kept on purpose is not among them. */
export function collected<T>(work: () => T): { result: T; made: Tensor[] } {
  const { track } = engine().state.activeScope
  const before = track.length
  const result = work()
  return { result, made: track.slice(before).filter((tensor) => !tensor.kept) }
}

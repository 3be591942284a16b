// The trainable tensors of a plan that goes on from trained ones: their values, with the decay and the rates of a new run.
import { GraftError } from '../../protocol/errors.ts'
import type { AdapterConfig } from '../../protocol/run.ts'
import type { TensorToWrite } from '../../formats/safetensors.ts'
import { loraNames, savedName, startNames } from '../nn/adaptation.ts'
import type { InitialParameter } from '../optim/parameters.ts'
import { vectorRate } from './parameters.ts'
import type { AdapterPlan } from './plan.ts'

/** `tensors` by the names of the parameter store. Throws E_MODEL_FILES naming a tensor that is missing or of another shape. */
export function continuedParameters(
  plan: AdapterPlan,
  config: Pick<AdapterConfig, 'method' | 'loraPlusRatio'>,
  tensors: readonly TensorToWrite[],
): InitialParameter[] {
  const { loraPlusRatio } = config
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  const parameters: InitialParameter[] = []
  const take = (name: string, shape: readonly number[], decay: boolean, rate: number) => {
    const found = byName.get(name)
    if (!found || found.shape.join() !== shape.join())
      throw new GraftError(
        'E_MODEL_FILES',
        `${name} is ${found ? `of shape [${found.shape.join(', ')}]` : 'missing'} in the adapter that is to be trained further; [${shape.join(', ')}] is needed.`,
        { tensor: name },
      )
    parameters.push({ name, shape: [...shape], values: found.data, decay, rate })
  }
  for (const { path, shape, r } of plan.layers) {
    const [out, inputs] = shape
    const names = loraNames(path)
    const start = startNames(path)
    take(names.a, [r, inputs], true, 1)
    take(names.b, [out, r], true, loraPlusRatio)
    if (byName.has(start.a)) {
      take(start.a, [r, inputs], false, 0)
      take(start.b, [out, r], false, 0)
    }
    if (byName.has(names.magnitude)) take(names.magnitude, [out], true, loraPlusRatio)
  }
  for (const { name, shape } of plan.saved) {
    const matrix = shape.length > 1
    take(savedName(name), shape, matrix, matrix ? 1 : vectorRate(config))
  }
  return parameters
}

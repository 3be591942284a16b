// Which modules a name means: PEFT's own rules (tuners_utils.py check_target_module_exists, other.py get_pattern_key and
// _set_trainable), so that an adapter is the same thing here and there.
import type { AdapterConfig } from '../../protocol/run.ts'
import { wholeExpression } from './expression.ts'

type TargetSettings = Pick<AdapterConfig, 'targets' | 'layersToTransform' | 'modulesToSave'>

/** Whether a linear layer gets factors: meant by the targets, in one of the blocks, and not trained whole. */
export function isTargeted(path: string, layer: number, settings: TargetSettings): boolean {
  const { targets, layersToTransform, modulesToSave } = settings
  if (isWhole(path, modulesToSave) || holdsSegment(path, modulesToSave)) return false
  // PEFT reads an empty list as no list.
  if (layersToTransform?.length && !layersToTransform.includes(layer)) return false
  if (typeof targets !== 'string') return targets.some((target) => endsWith(path, target))
  return isAllLinear(targets) || wholeExpression('adapter.targets', targets).test(path)
}

export function isAllLinear(targets: AdapterConfig['targets']): boolean {
  return typeof targets === 'string' && targets.toLowerCase() === 'all-linear'
}

/** The value of the first key whose expression matches the end of the path, or the whole of it. */
export function patternValue(
  place: 'rankPattern' | 'alphaPattern',
  pattern: Record<string, number>,
  path: string,
): number | undefined {
  const key = Object.keys(pattern).find((candidate) =>
    wholeExpression(`adapter.${place}`, candidate, true).test(path),
  )
  return key === undefined ? undefined : pattern[key]
}

/** Whether a module path is `name`, or ends with it after a dot. */
export function endsWith(path: string, name: string): boolean {
  return path === name || path.endsWith(`.${name}`)
}

/** Whether a module, or one that it stands in, is trained whole: its path ends with one of the names, dot or not. */
export function isWhole(module: string, modulesToSave: readonly string[]): boolean {
  const parts = module.split('.')
  return parts.some((_, i) => {
    const path = parts.slice(0, i + 1).join('.')
    return modulesToSave.some((name) => path.endsWith(name))
  })
}

/** What keeps factors away from modules that are trained whole: one of the names stands in the path between dots. */
function holdsSegment(path: string, modulesToSave: readonly string[]): boolean {
  return modulesToSave.some((name) => `.${path}.`.includes(`.${name}.`))
}

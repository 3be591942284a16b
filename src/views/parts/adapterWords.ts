// What is trained, in words: one place for run pages, lists, pickers and exports.
import type { AdapterInfo } from '../../protocol/model.ts'
import type { AdapterConfig } from '../../protocol/run.ts'
import { count, number } from '../../charts/format.ts'

/** "LoRA, rank 16, alpha 32". */
export function methodWords(adapter: Pick<AdapterConfig, 'method' | 'r' | 'alpha' | 'topLayers'>): string {
  switch (adapter.method) {
    case 'lora':
      return `LoRA, rank ${adapter.r}, alpha ${number(adapter.alpha)}`
    case 'head':
      return 'Head only'
    case 'layers':
      return adapter.topLayers === 1 ? 'Top block' : `Top ${count(adapter.topLayers)} blocks`
    case 'full':
      return 'All weights'
    default:
      return adapter.method satisfies never
  }
}

/** What sets an adapter apart from plain LoRA: "DoRA", "rsLoRA", "PiSSA". */
export function tagsOf(adapter: Partial<AdapterConfig>): string[] {
  return [
    ...(adapter.useDora ? ['DoRA'] : []),
    ...(adapter.useRslora ? ['rsLoRA'] : []),
    ...(adapter.loraPlusRatio !== undefined && adapter.loraPlusRatio !== 1
      ? [`LoRA+ ${number(adapter.loraPlusRatio)}`]
      : []),
    ...(adapter.initLoraWeights === 'pissa' ? ['PiSSA'] : []),
    ...(adapter.initLoraWeights === 'gaussian' ? ['Gaussian'] : []),
  ]
}

/** The adapted layers: "all linear", their names (of whole paths the last part), or the expression as it is written. */
export function targetWords(targets: AdapterConfig['targets']): string {
  if (Array.isArray(targets)) {
    const names = [...new Set(targets.map((target) => target.split('.').at(-1)!))]
    return names.length < targets.length
      ? `${names.join(', ')} (${count(targets.length)} layers)`
      : targets.join(', ')
  }
  return targets.toLowerCase() === 'all-linear' ? 'all linear' : `those that match ${targets}`
}

/** Where an imported adapter came from. */
export function originWords({ source }: Pick<AdapterInfo, 'source'>): string {
  if ('hub' in source) return `${source.hub}@${source.revision.slice(0, 7)}`
  return source.files.length === 1 ? source.files[0]! : `${count(source.files.length)} files`
}

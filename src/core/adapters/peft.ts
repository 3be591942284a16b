// An adapter as PEFT writes it: adapter_config.json, adapter_model.safetensors, README.md (the model card).
// Names and fields: PEFT docs, developer_guides/checkpoint.
import { writeSafetensors, type TensorToWrite } from '../../formats/safetensors.ts'
import { GraftError } from '../../protocol/errors.ts'
import type { AdapterConfig } from '../../protocol/run.ts'
import type { Architecture } from '../models/architecture.ts'
import { adapterCard, type CardSource } from './card.ts'
import { checkPeftExport, peftConfig } from './peftConfig.ts'
import { hasStart, hostTensors, peftTensors } from './peftTensors.ts'
import type { AdaptedLayer, AdapterPlan } from './plan.ts'

export const ADAPTER_CONFIG = 'adapter_config.json'
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors'

export interface PeftExport extends CardSource {
  architecture: Architecture
  adapter: AdapterConfig
  plan: AdapterPlan
  /** Commit or branch of a Hub base. */
  revision: string | null
  /** Every tensor of the run by the store's names, in the engine's orientation. */
  tensors: readonly TensorToWrite[]
  /** For convert_lora_to_gguf, which knows no rsLoRA and no patterns: the same adapter in the words that it reads. */
  forLlamaCpp?: boolean
}

/** The files of the export by name. Throws E_ARGUMENT where there is no such format for what was trained. */
export function peftFiles(spec: PeftExport): Map<string, Uint8Array<ArrayBuffer>> {
  const { family, architecture, plan, labels, forLlamaCpp } = spec
  const tensors = hostTensors(spec.tensors)
  const classify = labels !== null
  const source = { ...spec, classify, doubled: hasStart(plan, tensors) }
  checkPeftExport(source)
  if (forLlamaCpp) checkLlamaCpp(spec)
  const config = peftConfig(source)
  const common = forLlamaCpp ? plainAlpha(plan.layers, source.doubled) : null
  const text = (content: string) => new TextEncoder().encode(content)
  return new Map([
    [ADAPTER_CONFIG, text(`${JSON.stringify({ ...config, ...common?.config }, null, 2)}\n`)],
    [
      ADAPTER_WEIGHTS,
      writeSafetensors(peftTensors(family, architecture, plan, tensors, classify, common?.fold), {
        format: 'pt',
      }),
    ],
    ['README.md', text(adapterCard(spec, kindOf(spec.adapter)))],
  ])
}

/** llama.cpp scales every layer by lora_alpha / rank: one alpha for all, and what differs goes into B. */
function plainAlpha(layers: readonly AdaptedLayer[], doubled: boolean) {
  const alphaOf = ({ scale, r }: AdaptedLayer) => scale * (doubled ? 2 * r : r)
  const alpha = alphaOf(layers[0]!)
  return {
    config: { lora_alpha: alpha, use_rslora: false, alpha_pattern: {} },
    fold: (layer: AdaptedLayer) => alphaOf(layer) / alpha,
  }
}

function checkLlamaCpp({ adapter, plan, labels }: PeftExport): void {
  const reason =
    labels !== null
      ? 'a classifier'
      : adapter.useDora
        ? "DoRA's magnitudes"
        : plan.saved.length > 0
          ? `whole tensors such as ${plan.saved[0]!.name}`
          : null
  if (reason === null) return
  throw new GraftError(
    'E_ARGUMENT',
    `llama.cpp's adapters cannot hold ${reason}. Export the merged model and convert that.`,
  )
}

function kindOf({ useDora, useRslora }: AdapterConfig): string {
  return useDora ? 'DoRA' : useRslora ? 'rsLoRA' : 'LoRA'
}

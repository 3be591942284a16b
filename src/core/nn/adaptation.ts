// What stands beside the frozen weights of a base during one pass: LoRA factors by module path, and where gradients go.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { LoraFactors } from '../ops/ops.ts'

export interface Adaptation {
  /** Factors of the linear layer at a module path such as model.layers.0.self_attn.q_proj. */
  factors(path: string): LoraFactors | undefined
}

export interface GradientSink {
  /** Adds to the gradient of a trainable tensor by its PEFT name; does not take ownership. */
  add(name: string, gradient: Tensor): void
}

/** PEFT's names of a layer's factors: developer_guides/checkpoint in PEFT's docs. */
export const loraNames = (path: string) => ({
  a: `base_model.model.${path}.lora_A.weight`,
  b: `base_model.model.${path}.lora_B.weight`,
})

/** PEFT's name of a classifier head that is saved whole. */
export const SCORE_NAME = 'base_model.model.score.weight'

// What stands beside, or in place of, the frozen weights of a base during one pass, and where gradients go.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { LoraFactors } from '../ops/ops.ts'

/** LoRA factors of one linear layer; with a magnitude they are DoRA's (Liu et al. 2024, arXiv 2402.09353). */
export interface LayerFactors extends LoraFactors {
  /** [out] */
  magnitude?: Tensor
  /** With a magnitude: how much of the adapted product stands in place of the base's, from 0 to 1; default 1. */
  strength?: number
  /** PiSSA's first factors, which are taken away from the frozen weight: W - scale B0 A0 (arXiv 2404.02948). */
  start?: { a: Tensor; b: Tensor }
}

export interface Adaptation {
  /** Factors of the linear layer at a module path such as model.layers.0.self_attn.q_proj. */
  factors(path: string): LayerFactors | undefined
  /** What is trained in place of the base's tensor of this name, in the engine's orientation ([out, in]). */
  tensor(name: string): Tensor | undefined
  /** The lowest block with something to train: the backward pass ends there. -1: the embeddings; Infinity: only heads. */
  lowest: number
}

export interface GradientSink {
  /** Adds to the gradient of a trainable tensor by its PEFT name; does not take ownership. */
  add(name: string, gradient: Tensor): void
  /** The flat sum of all gradients, where kernels may add to it themselves. */
  readonly inPlace?: Tensor
}

/** PEFT's names of a layer's factors on disk: developer_guides/checkpoint in PEFT's docs. */
export const loraNames = (path: string) => ({
  a: `base_model.model.${path}.lora_A.weight`,
  b: `base_model.model.${path}.lora_B.weight`,
  magnitude: `base_model.model.${path}.lora_magnitude_vector`,
})

/** Names of PiSSA's first factors, which are kept with a run and never leave it. */
export const startNames = (path: string) => ({ a: `start.${path}.lora_A`, b: `start.${path}.lora_B` })

/** PEFT's name of a tensor that is trained and saved whole. */
export const savedName = (tensor: string): string => `base_model.model.${tensor}`

// Plain LoRA on all linear layers, from which tests change what they are about.
import type { AdapterConfig } from '../../../src/protocol/run.ts'

export const LORA: AdapterConfig = {
  method: 'lora',
  r: 4,
  alpha: 8,
  dropout: 0,
  targets: 'all-linear',
  useRslora: false,
  useDora: false,
  initLoraWeights: true,
  loraPlusRatio: 1,
  rankPattern: {},
  alphaPattern: {},
  layersToTransform: null,
  modulesToSave: [],
  bias: 'none',
  topLayers: 1,
}

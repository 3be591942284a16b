// A tiny model of the golden suite on the cpu backend.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { loadTransformer } from '../../../src/core/models/load.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import type { Transformer } from '../../../src/core/models/transformer.ts'
import { memoryFile, openWeights } from '../../../src/core/models/weights.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { modelBytes, type FamilyName } from '../../golden/load.ts'

export async function loadTiny(name: FamilyName): Promise<Transformer> {
  await tf.setBackend('cpu')
  const bytes = modelBytes(name)
  const config: unknown = JSON.parse(new TextDecoder().decode(bytes.get('config.json')))
  const { family, architecture } = recogniseModel(config as Parameters<typeof recogniseModel>[0])
  const weights = await openWeights([memoryFile('model', bytes.get('model.safetensors')!)])
  return loadTransformer(family, architecture, weights, opsFor('cpu'))
}

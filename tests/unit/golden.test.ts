// The engine against PyTorch on the backends that Node has.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { describe, beforeAll } from 'vitest'
import { opsFor } from '../../src/core/ops/index.ts'
import { goldenSuite } from '../golden/suite.ts'

describe('cpu', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu')
    await tf.ready()
  })
  goldenSuite('cpu', () => opsFor('cpu'))
})

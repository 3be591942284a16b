// Settings: defaults by family and method, PEFT's spelling, refusals.
import { describe, expect, it } from 'vitest'
import { storedAdapter } from '../../src/protocol/adapterSettings.ts'
import type { AdapterConfig } from '../../src/protocol/run.ts'
import {
  ADAPTER_LISTS,
  ADAPTER_SETTINGS,
  defaultAdapter,
  defaultTraining,
} from '../../src/protocol/settings.ts'

const rate = (model: object, method?: AdapterConfig['method']) =>
  defaultTraining({ hidden: 2000, context: 1024, ...model }, 'classify', {}, method).learningRate

describe('learning rates', () => {
  it("follow Tinker's rule: 5e-5 x 10 x (2000 / hidden)^P", () => {
    expect(rate({ family: 'llama' })).toBe(5e-4)
    expect(rate({ family: 'llama', hidden: 576 })).toBe(1.3e-3)
    expect(rate({ family: 'qwen2', hidden: 896 })).toBe(5.3e-4)
    expect(rate({ family: 'qwen3', hidden: 1024 })).toBe(5.3e-4)
    expect(rate({ family: 'gpt2', hidden: 768 })).toBe(rate({ family: 'llama', hidden: 768 }))
  })

  it('are lower for whole weights and for encoders', () => {
    expect(rate({ family: 'llama' }, 'full')).toBe(5e-5)
    expect(rate({ family: 'llama' }, 'layers')).toBe(5e-5)
    expect(rate({ family: 'llama' }, 'head')).toBe(5e-4)
    expect(rate({ family: 'bert', kind: 'encoder', hidden: 768 })).toBe(3e-4)
    expect(rate({ family: 'bert', kind: 'encoder', hidden: 768 }, 'full')).toBe(3e-5)
  })
})

describe('adapters', () => {
  it("take PEFT's spelling for every field", () => {
    const peft = {
      r: 4,
      lora_alpha: 8,
      lora_dropout: 0.1,
      target_modules: '.*q_proj',
      use_rslora: true,
      use_dora: true,
      init_lora_weights: 'gaussian',
      rank_pattern: { q_proj: 2 },
      alpha_pattern: { q_proj: 3 },
      layers_to_transform: 1,
      modules_to_save: null,
    }
    expect(defaultAdapter(peft as Partial<AdapterConfig>)).toEqual({
      ...defaultAdapter(),
      r: 4,
      alpha: 8,
      dropout: 0.1,
      targets: '.*q_proj',
      useRslora: true,
      useDora: true,
      initLoraWeights: 'gaussian',
      rankPattern: { q_proj: 2 },
      alphaPattern: { q_proj: 3 },
      layersToTransform: [1],
    })
    expect(defaultAdapter({ initLoraWeights: 'true' as unknown as true }).initLoraWeights).toBe(true)
  })

  it.each([
    [{ lora_alpha: 8, alpha: 8 }, 'same setting'],
    [{ rank: 8 }, 'is not a setting'],
    [{ r: 0 }, 'from 1 to'],
    [{ loraPlusRatio: 0.5 }, 'from 1 to'],
    [{ bias: 'some' }, 'must be one of none, lora_only, all'],
    [{ initLoraWeights: 'olora' }, 'must be one of true, gaussian, pissa'],
    [{ useDora: 'yes' }, 'true or false'],
    [{ targets: [''] }, 'all-linear'],
    [{ targets: '' }, 'all-linear'],
    [{ rankPattern: { q_proj: 1.5 } }, 'whole numbers'],
    [{ alphaPattern: { q_proj: 0 } }, 'above 0'],
    [{ alphaPattern: ['q_proj'] }, 'object'],
    [{ layersToTransform: [-1] }, 'numbers from 0'],
    [{ modulesToSave: 'lm_head' }, 'list'],
    [{ topLayers: 0 }, 'from 1 to'],
  ])('refuse %j', (given, words) => {
    expect(() => defaultAdapter(given as Partial<AdapterConfig>)).toThrow(words)
  })

  it('have a description for every field of their configuration', () => {
    const described = [...Object.keys(ADAPTER_SETTINGS), ...Object.keys(ADAPTER_LISTS)]
    expect(described.sort()).toEqual(Object.keys(defaultAdapter()).sort())
  })

  it('of earlier versions are filled up', () => {
    const old = { method: 'lora', r: 4, alpha: 8, dropout: 0, targets: ['q_proj'] } as const
    expect(storedAdapter({ ...old, targets: [...old.targets] })).toEqual(
      defaultAdapter({ ...old, targets: [...old.targets] }),
    )
  })
})

// What a plan adapts and trains, by PEFT's rules; and what it refuses by name.
import { describe, expect, it } from 'vitest'
import { planAdapter } from '../../../src/core/adapters/plan.ts'
import { isTargeted, isWhole, patternValue } from '../../../src/core/adapters/targets.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import { familyGolden, type FamilyName } from '../../golden/load.ts'
import type { AdapterConfig } from '../../../src/protocol/run.ts'
import { LORA } from './settings.ts'

function plan(model: FamilyName, config: Partial<AdapterConfig>, labels: number | null = null, bare = false) {
  const { family, architecture } = recogniseModel(familyGolden(model).config)
  return planAdapter(family, architecture, { ...LORA, ...config }, labels, bare)
}
const paths = (...args: Parameters<typeof plan>) => plan(...args).layers.map(({ path }) => path)
const saved = (...args: Parameters<typeof plan>) => plan(...args).saved.map(({ name }) => name)

describe('targets', () => {
  const settings = { layersToTransform: null, modulesToSave: [] }

  it('are ends of paths after a dot, or expressions for the whole path', () => {
    const path = 'model.layers.1.self_attn.q_proj'
    const is = (targets: string | string[]) => isTargeted(path, 1, { ...settings, targets })
    expect(is(['q_proj'])).toBe(true)
    expect(is(['self_attn.q_proj'])).toBe(true)
    expect(is([path])).toBe(true)
    expect(is(['proj'])).toBe(false)
    expect(is('ALL-linear')).toBe(true)
    expect(is('.*q_proj')).toBe(true)
    expect(is('q_proj')).toBe(false)
    expect(is('model.layers.1')).toBe(false)
  })

  it('leave out what is trained whole, wherever the name stands in the path', () => {
    const is = (modulesToSave: string[]) =>
      isTargeted('model.layers.1.mlp.up_proj', 1, {
        targets: ['up_proj'],
        layersToTransform: null,
        modulesToSave,
      })
    expect(is(['mlp'])).toBe(false)
    expect(is(['up_proj'])).toBe(false)
    expect(is(['lm_head'])).toBe(true)
    expect(isWhole('pre_classifier', ['classifier'])).toBe(true)
    expect(isWhole('classifier.dense', ['classifier'])).toBe(true)
  })

  it('keep to the chosen blocks; an empty list is none', () => {
    expect(paths('tiny-gemma3', { targets: ['q_proj'], layersToTransform: [2, 0] })).toEqual([
      'model.layers.0.self_attn.q_proj',
      'model.layers.2.self_attn.q_proj',
    ])
    expect(paths('tiny-gemma3', { targets: ['q_proj'], layersToTransform: [] })).toHaveLength(3)
  })

  it('take the first pattern that matches the end of a path', () => {
    const path = 'model.layers.1.self_attn.q_proj'
    const of = (pattern: Record<string, number>) => patternValue('rankPattern', pattern, path)
    expect(of({ q_proj: 2, 'layers.1.self_attn.q_proj': 3 })).toBe(2)
    expect(of({ proj: 2, '.*[qk]_proj': 3 })).toBe(3)
    expect(of({ '^model.*': 4 })).toBe(4)
    expect(of({ self_attn: 4 })).toBeUndefined()
    expect(of({ '^q_proj': 4 })).toBeUndefined()
  })
})

describe('whole tensors', () => {
  it('are biases of all layers or of the adapted ones', () => {
    expect(saved('tiny-qwen2', { bias: 'lora_only', targets: ['q_proj', 'up_proj'] })).toEqual([
      'model.layers.0.self_attn.q_proj.bias',
      'model.layers.1.self_attn.q_proj.bias',
    ])
    expect(saved('tiny-gpt2', { bias: 'all' })).toHaveLength(2 * 6 + 1)
  })

  it('are the top blocks and what stands above them, never the table below', () => {
    expect(
      saved('tiny-qwen2', { method: 'layers', topLayers: 1 }).every((name) =>
        /layers\.1|norm|lm_head/.test(name),
      ),
    ).toBe(true)
    const all = saved('tiny-qwen2', { method: 'layers', topLayers: 99 })
    expect(all).toContain('model.layers.0.mlp.up_proj.weight')
    expect(all).not.toContain('model.embed_tokens.weight')
    expect(plan('tiny-qwen2', { method: 'layers', topLayers: 1 }).lowest).toBe(1)
  })

  it("are a classifier's own layers, and the pooler where the checkpoint has none", () => {
    expect(saved('tiny-bert', {}, 3)).toEqual(['classifier.weight', 'classifier.bias'])
    expect(paths('tiny-bert', {}, 3)).toContain('bert.pooler.dense')
    expect(saved('tiny-bert', {}, 3, true)[0]).toBe('bert.pooler.dense.weight')
    expect(paths('tiny-bert', {}, 3, true)).not.toContain('bert.pooler.dense')
    expect(plan('tiny-bert', { method: 'head' }, 3).lowest).toBe(Infinity)
  })
})

describe('refusals', () => {
  it.each<[string, FamilyName, Partial<AdapterConfig>, RegExp]>([
    ['a target that is not there', 'tiny-gpt2', { targets: ['q_proj'] }, /q_proj.*c_attn/],
    ['an expression that means nothing', 'tiny-gpt2', { targets: 'x' }, /No linear layer/],
    ['no expression', 'tiny-gpt2', { targets: '(' }, /not a regular expression/],
    ['half an expression', 'tiny-gpt2', { targets: 'a)|((b+)+' }, /not a regular expression/],
    ['a pattern that is none', 'tiny-gpt2', { rankPattern: { '(': 2 } }, /rankPattern/],
    ['a module that is not there', 'tiny-gpt2', { modulesToSave: ['embed_tokens'] }, /embed_tokens/],
    ['a tied head', 'tiny-llama3', { modulesToSave: ['lm_head'] }, /token table/],
    ['a head alone without one', 'tiny-gpt2', { method: 'head' }, /"head"/],
    ['PiSSA with DoRA', 'tiny-gpt2', { initLoraWeights: 'pissa', useDora: true }, /PiSSA and DoRA/],
    ['more components than there are', 'tiny-gpt2', { initLoraWeights: 'pissa', r: 25 }, /at most 24/],
  ])('%s', (_, model, config, message) => {
    expect(() => plan(model, config)).toThrowError(
      expect.objectContaining({ code: 'E_ARGUMENT', message: expect.stringMatching(message) }),
    )
  })
})

describe('expressions of other people', () => {
  it.each([
    ...['(a+)+x', '(b+)+', '(.*)*y', '(a|a)*b', '(?:.+\\.)+q', '.*.*.*.*.*.*.*x', '(\\w{1,9}){2,}x'],
    ...[
      '(.?){40}x',
      '(l?){40}x',
      `${'.?'.repeat(40)}x`,
      `${'(.|..)'.repeat(30)}x`,
      `${'(\\w.)?'.repeat(30)}x`,
    ],
  ])('%s is refused before it runs', (targets) => {
    expect(() => paths('tiny-qwen2', { targets })).toThrowError(/could run for hours/)
  })

  it('take what tools really write', () => {
    const unsloth =
      '(?:.*?(?:language|text).*?(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense).*?(?:q_proj|v_proj).*?)|' +
      '(?:\\bmodel\\.layers\\.[\\d]{1,}\\.(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense)\\.(?:(?:q_proj|v_proj)))'
    expect(paths('tiny-qwen2', { targets: unsloth })).toHaveLength(4)
    expect(paths('tiny-qwen2', { targets: '.*\\.(q|v)_proj$' })).toHaveLength(4)
    expect(
      paths('tiny-qwen2', { targets: '(base_)?(model\\.)?(model\\.)?layers\\.\\d+?\\.mlp\\..*' }),
    ).toHaveLength(6)
    expect(paths('tiny-qwen2', { targets: '^model\\.layers\\.(0|1)\\.mlp\\.[a-z]+_proj' })).toHaveLength(6)
  })
})

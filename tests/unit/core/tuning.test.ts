// Choosing among the settings of kernels: by times that a fake clock gives, within a bounded time, once for an adapter.
import 'fake-indexeddb/auto'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { fastest } from '../../../src/core/ops/webgpu/tuning/fastest.ts'
import {
  enables,
  rowSettings,
  tileOf,
  tileSettings,
  type Abilities,
  type TiledShape,
} from '../../../src/core/ops/webgpu/tuning/settings.ts'
import { abilitiesOf, adapterName, isSoftware } from '../../../src/core/ops/webgpu/tuning/start.ts'
import { Tuner, type Tunable, type TuningMemory } from '../../../src/core/ops/webgpu/tuning/tuner.ts'
import { openStore } from '../../../src/store/database.ts'
import { loadTuning, saveTuning } from '../../../src/store/tuning.ts'

beforeAll(() => tf.setBackend('cpu'))

/** A clock that stands still but for what takes time. */
function clock() {
  let at = 0
  return { now: () => at, pass: (ms: number) => void (at += ms) }
}

describe('the fastest of several', () => {
  const contest = (times: Record<string, number | Error>, budget = 1000) => {
    const { now, pass } = clock()
    const time = vi.fn((setting: string) => {
      const took = times[setting]!
      if (took instanceof Error) return Promise.reject(took)
      pass(took)
      return Promise.resolve(took)
    })
    return { settings: Object.keys(times), time, now, budget }
  }

  test('wins, with the times of all', async () => {
    const outcome = await fastest(contest({ default: 5, a: 7, b: 2, c: 3 }))
    expect(outcome).toEqual({ setting: 'b', times: { default: 5, a: 7, b: 2, c: 3 } })
  })

  test('must be clearly faster than the default', async () => {
    expect((await fastest(contest({ default: 100, a: 98 }))).setting).toBe('default')
    expect((await fastest(contest({ default: 100, a: 96 }))).setting).toBe('a')
    expect((await fastest(contest({ default: 100, a: 96, b: 95.9 }))).setting).toBe('b')
  })

  test('is not one that the device refuses; where it refuses the default, another one is', async () => {
    const refused = new Error('no')
    expect(await fastest(contest({ default: 5, a: refused }))).toEqual({
      setting: 'default',
      times: { default: 5, a: null },
    })
    expect((await fastest(contest({ default: refused, a: refused, b: 900 }))).setting).toBe('b')
    expect((await fastest(contest({ default: refused, a: refused }))).setting).toBe('default')
  })

  test('times that are none count as refused', async () => {
    expect((await fastest(contest({ default: 5, a: 0, b: -3, c: NaN }))).times).toEqual({
      default: 5,
      a: null,
      b: null,
      c: null,
    })
  })

  test('the least of three rounds counts', async () => {
    const { now } = clock()
    const took = [9, 4, 6, 5, 5, 5]
    const { times } = await fastest({
      settings: ['default', 'a'],
      time: () => Promise.resolve(took.shift()!),
      now,
      budget: 10,
    })
    expect(times).toEqual({ default: 4, a: 5 })
  })

  test('nothing is begun after the time is up, but the default is always timed', async () => {
    const given = contest({ default: 60, a: 10, b: 1 }, 100)
    expect(await fastest(given)).toEqual({ setting: 'default', times: { default: 60 } })
    expect(given.time.mock.calls.map(([setting]) => setting)).toEqual(['default', 'default'])
    expect(await fastest(contest({ default: 60, a: 1 }, 0))).toEqual({
      setting: 'default',
      times: { default: 60 },
    })
  })

  test('can be broken off', async () => {
    const over = new AbortController()
    const given = contest({ default: 5, a: 1 })
    given.time.mockImplementation(() => {
      over.abort()
      return Promise.resolve(5)
    })
    await expect(fastest({ ...given, signal: over.signal })).rejects.toThrow(/abort/i)
    expect(given.time).toHaveBeenCalledTimes(1)
  })
})

const EVERYTHING: Abilities = { half: true, subgroups: true, shared: 32_768 }

describe('settings', () => {
  const shape: TiledShape = { side: 'along', rows: 1024, columnTiles: (width) => 2048 / width, half: true }

  test('of a large product: four tiles, and two of them with halves', () => {
    expect(tileSettings(shape, EVERYTHING)).toEqual([
      'default',
      '32x64',
      '128x64',
      '64x128',
      'f16',
      '64x128 f16',
    ])
  })

  test('halves only of weights that lose nothing, and where the device has them', () => {
    const plain = ['default', '32x64', '128x64', '64x128']
    expect(tileSettings({ ...shape, half: false }, EVERYTHING)).toEqual(plain)
    expect(tileSettings(shape, { ...EVERYTHING, half: false })).toEqual(plain)
  })

  test('no tile is mostly empty or larger than the shared memory, and none is the default again', () => {
    expect(tileSettings({ ...shape, rows: 33, half: false }, EVERYTHING)).toEqual([
      'default',
      '64x64',
      '64x128',
    ])
    for (const side of ['along', 'across'] as const)
      for (const rows of [1, 16, 40, 100, 5000]) {
        const given = { ...shape, side, rows }
        const small = tileSettings(given, { ...EVERYTHING, shared: 16_384 })
        const tiles = small.map((setting) => {
          const { height, width, bytes, shared } = tileOf(setting, given)
          expect(bytes).toBeLessThanOrEqual(16_384)
          expect(bytes).toBe(bytesOf(shared))
          return `${height} ${width} ${enables(setting).join()}`
        })
        expect(new Set(tiles).size).toBe(tiles.length)
      }
  })

  test('rows: subgroups where the device has them', () => {
    expect(rowSettings(EVERYTHING)).toEqual(['default', 'subgroups'])
    expect(rowSettings({ ...EVERYTHING, subgroups: false })).toEqual(['default'])
  })

  /** Of the declarations in WGSL. */
  function bytesOf(shared: string): number {
    return [...shared.matchAll(/array<(vec4<f32>|vec2<u32>), (\d+)>/g)].reduce(
      (sum, [, type, count]) => sum + Number(count) * (type === 'vec4<f32>' ? 16 : 8),
      0,
    )
  }
})

describe('a tuner', () => {
  const TIMES: Record<string, number> = { default: 4, f16: 3, subgroups: 2 }
  /** Work whose kernels are their settings. */
  function work(key: string, settings = ['default', 'f16', 'subgroups']): Tunable {
    return {
      key,
      settings: () => settings,
      trial: () => ({
        kernel: (setting) => ({ ...NO_KERNEL, name: setting }),
        written: { result: tf.zeros([2]) },
        tensors: [tf.zeros([3])],
      }),
    }
  }
  const NO_KERNEL = {
    name: '',
    inputs: {},
    uniforms: {},
    workgroup: [1, 1, 1] as [number, number, number],
    groups: 1,
    code: '',
  }

  function tunerWith(
    memory: TuningMemory | null,
    more: { active?: boolean; took?: number; compiling?: number } = {},
  ) {
    const { now, pass } = clock()
    const time = vi.fn(({ name }: { name: string }) => {
      pass(more.took ?? TIMES[name]!)
      return Promise.resolve(more.took ?? TIMES[name]!)
    })
    const compile = vi.fn(({ name }: { name: string }) => {
      pass(more.compiling ?? 0)
      return name === 'f16' ? Promise.reject(new Error('refused')) : Promise.resolve()
    })
    const tuner = new Tuner({
      adapter: 'gpu',
      abilities: EVERYTHING,
      active: more.active ?? true,
      memory,
      time,
      compile,
      now,
    })
    return { tuner, time, compile }
  }
  const remembering = (saved?: unknown) => {
    const memory = {
      saved,
      load: vi.fn(() => Promise.resolve(memory.saved)),
      save: vi.fn((_adapter: string, choices: Record<string, string>) => {
        memory.saved = choices
        return Promise.resolve()
      }),
    }
    return memory
  }
  /** A pass that asks for the work's settings, and what it was told. */
  const asked = (tuner: Tuner, works: Tunable[], told: (string | null)[] = []) => ({
    told,
    pass: () => {
      for (const each of works) told.push(tuner.settingFor(each))
    },
  })

  test('takes the default until a rehearsal, in which nothing is made, then the fastest, and leaves no tensor', async () => {
    const { tuner, time } = tunerWith(null)
    const before = tf.memory().numTensors
    expect(tuner.settingFor(work('a'))).toBe('default')
    const { told, pass } = asked(tuner, [work('a'), work('a'), work('b', ['default', 'f16'])])
    await tuner.rehearse(pass)
    expect(told).toEqual([null, null, null])
    expect(tuner.settingFor(work('a'))).toBe('subgroups')
    expect(tuner.settingFor(work('b', ['default', 'f16']))).toBe('f16')
    expect(tuner.settingFor(work('c'))).toBe('default')
    expect(tf.memory().numTensors).toBe(before)
    const calls = time.mock.calls.length
    await tuner.rehearse(pass)
    expect(time.mock.calls.length, 'what is known is not tried again').toBe(calls)
  })

  test('another session takes what was found, without trying', async () => {
    const memory = remembering()
    const first = tunerWith(memory)
    await first.tuner.load()
    await first.tuner.rehearse(asked(first.tuner, [work('a')]).pass)
    expect(memory.saved).toEqual({ a: 'subgroups' })
    const second = tunerWith(memory)
    await second.tuner.load()
    expect(second.tuner.settingFor(work('a'))).toBe('subgroups')
    await second.tuner.rehearse(asked(second.tuner, [work('a')]).pass)
    expect(second.time).not.toHaveBeenCalled()
    expect(memory.load).toHaveBeenCalledWith('gpu')
  })

  test.each([
    ['no table', 5],
    ['a list', ['subgroups']],
    ['words that are no settings', { a: 'nonsense' }],
    ['settings that this device has not', { a: '64x128 f16' }],
    ['numbers', { a: 3 }],
    ['nothing', undefined],
  ])('%s is as good as nothing', async (_, saved) => {
    const { tuner } = tunerWith(remembering(saved))
    await tuner.load()
    expect(tuner.settingFor(work('a'))).toBe('default')
    await tuner.rehearse(asked(tuner, [work('a')]).pass)
    expect(tuner.settingFor(work('a'))).toBe('subgroups')
  })

  test('a memory that fails costs nothing but the memory', async () => {
    const failing = { load: () => Promise.reject(new Error('x')), save: () => Promise.reject(new Error('y')) }
    const { tuner } = tunerWith(failing)
    await tuner.load()
    await tuner.rehearse(asked(tuner, [work('a')]).pass)
    expect(tuner.settingFor(work('a'))).toBe('subgroups')
  })

  test('a run that goes on brings its choices, to the adapter that they were made on', async () => {
    const memory = remembering({ a: 'subgroups', b: 'subgroups' })
    const { tuner } = tunerWith(memory)
    await tuner.load()
    await tuner.adopt({ adapter: 'other', choices: { a: 'default' } })
    await tuner.adopt(undefined)
    expect(tuner.record).toEqual({ adapter: 'gpu', choices: { a: 'subgroups', b: 'subgroups' } })
    await tuner.adopt({ adapter: 'gpu', choices: { a: 'f16' } })
    expect(tuner.settingFor(work('a'))).toBe('f16')
    expect(memory.saved).toEqual({ a: 'f16', b: 'subgroups' })
  })

  test('out of time, the default is chosen for good', async () => {
    const memory = remembering()
    const { tuner, time } = tunerWith(memory, { took: 1100 })
    await tuner.rehearse(
      asked(
        tuner,
        ['a', 'b', 'c', 'd', 'e'].map((key) => work(key)),
      ).pass,
    )
    expect(memory.saved).toEqual({ a: 'default', b: 'default', c: 'default', d: 'default', e: 'default' })
    expect(time).toHaveBeenCalledTimes(3)
  })

  test('what is compiled counts for the session, not for the class', async () => {
    const memory = remembering()
    const { tuner, time, compile } = tunerWith(memory, { compiling: 600 })
    await tuner.rehearse(
      asked(
        tuner,
        ['a', 'b', 'c'].map((key) => work(key)),
      ).pass,
    )
    expect(memory.saved).toEqual({ a: 'subgroups', b: 'subgroups', c: 'default' })
    expect(compile).toHaveBeenCalledTimes(6)
    expect(time).toHaveBeenCalledTimes(18)
  })

  test('broken off, what was found is kept and the rest is tried the next time', async () => {
    const memory = remembering()
    const { tuner, time } = tunerWith(memory)
    const over = new AbortController()
    const last = work('b')
    const works = [work('a'), { ...last, trial: () => (over.abort(), last.trial()) }]
    const before = tf.memory().numTensors
    await expect(tuner.rehearse(asked(tuner, works).pass, over.signal)).rejects.toThrow(/abort/i)
    expect(tf.memory().numTensors).toBe(before)
    expect(memory.saved).toEqual({ a: 'subgroups' })
    time.mockClear()
    await tuner.rehearse(asked(tuner, [work('a'), work('b')]).pass)
    expect(time).toHaveBeenCalled()
    expect(memory.saved).toEqual({ a: 'subgroups', b: 'subgroups' })
  })

  test('a rehearsal that fails leaves no rehearsal behind', async () => {
    const { tuner } = tunerWith(null)
    const fails = () => {
      throw new Error('out of memory')
    }
    await expect(tuner.rehearse(fails)).rejects.toThrow('out of memory')
    expect(tuner.settingFor(work('a'))).toBe('default')
  })

  test('on an adapter made of software the default stands', async () => {
    const memory = remembering({ a: 'subgroups' })
    const { tuner, time } = tunerWith(memory, { active: false })
    await tuner.load()
    const { told, pass } = asked(tuner, [work('a')])
    await tuner.rehearse(pass)
    pass()
    expect(told).toEqual(['default'])
    expect(time).not.toHaveBeenCalled()
    expect(memory.load).not.toHaveBeenCalled()
  })

  test('a forced setting is taken where it exists', () => {
    const { tuner } = tunerWith(null)
    tuner.force('f16')
    expect(tuner.settingFor(work('a'))).toBe('f16')
    expect(tuner.settingFor(work('b', ['default', 'subgroups']))).toBe('default')
    tuner.force(null)
    expect(tuner.settingFor(work('a'))).toBe('default')
  })
})

describe('adapters', () => {
  const info = {
    vendor: 'nvidia',
    architecture: 'hopper',
    device: '0x2335',
    description: 'H200',
    isFallbackAdapter: false,
  } as GPUAdapterInfo
  const facts = {
    info,
    features: ['subgroups', 'shader-f16'],
    limits: { maxComputeWorkgroupStorageSize: 49_152 },
  }

  test('have a name that changes with what matters, and not with the order of features', () => {
    const name = adapterName(facts)
    expect(adapterName({ ...facts, features: ['shader-f16', 'subgroups'] })).toBe(name)
    for (const other of [
      { ...facts, features: ['subgroups'] },
      { ...facts, info: { ...info, architecture: 'ada' } },
      { ...facts, info: { ...info, description: 'H200, driver 2' } },
    ])
      expect(adapterName(other)).not.toBe(name)
    expect(abilitiesOf(facts)).toEqual({ half: true, subgroups: true, shared: 49_152 })
  })

  test('another version of the kernels makes another name', async () => {
    vi.resetModules()
    vi.doMock('../../../src/core/ops/webgpu/tuning/tuner.ts', async (original) => ({
      ...(await original<object>()),
      KERNEL_VERSION: 1e6,
    }))
    const later = await import('../../../src/core/ops/webgpu/tuning/start.ts')
    expect(later.adapterName(facts)).not.toBe(adapterName(facts))
    vi.doUnmock('../../../src/core/ops/webgpu/tuning/tuner.ts')
  })

  test.each([
    [{ description: 'SwiftShader Device (Subzero)' }, true],
    [{ description: 'llvmpipe (LLVM 19.1.7, 256 bits)' }, true],
    [{ description: 'Microsoft Basic Render Driver' }, true],
    [{ isFallbackAdapter: true }, true],
    [{}, false],
  ])('%o: made of software: %s', (of, software) => {
    expect(isSoftware({ ...info, ...of } as GPUAdapterInfo)).toBe(software)
  })
})

test('the database keeps choices for each adapter', async () => {
  const store = await openStore({ name: 'tuning-test' })
  expect(await loadTuning(store, 'gpu')).toBeUndefined()
  await saveTuning(store, 'gpu', { a: 'f16' })
  await saveTuning(store, 'gpu', { a: 'f16', b: 'default' })
  await saveTuning(store, 'other', { a: 'default' })
  store.close()
  const again = await openStore({ name: 'tuning-test' })
  expect(await loadTuning(again, 'gpu')).toEqual({ a: 'f16', b: 'default' })
  again.close()
})

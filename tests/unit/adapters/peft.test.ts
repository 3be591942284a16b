// Adapters that peft itself wrote: imported they give its logits, exported again they are the same files.
import { beforeAll, describe, expect, it } from 'vitest'
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, peftFiles } from '../../../src/core/adapters/peft.ts'
import { readPeft } from '../../../src/core/adapters/readPeft.ts'
import { parseSafetensors, readTensor } from '../../../src/formats/safetensors.ts'
import { relativeError } from '../../golden/load.ts'
import { beside, CASES, exportOf, load, logitsOf, startWasm } from './support.ts'

const jsonOf = (files: ReadonlyMap<string, Uint8Array>): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(files.get(ADAPTER_CONFIG)))

beforeAll(startWasm)

describe.each(CASES)('$title', (each) => {
  it("gives peft's logits, and goes out as peft wrote it", async () => {
    const loaded = await load(each)
    const { tiny, theirs, imported, pad } = loaded
    expect(imported.warnings).toEqual([])
    await beside(loaded, 1, async (trainable) => {
      const ours = await logitsOf(tiny.model, trainable, each.ids, pad)
      expect(relativeError(ours, each.logits)).toBeLessThan(1e-4)
    })

    const files = peftFiles(exportOf(loaded, each))
    const written = files.get(ADAPTER_WEIGHTS)!
    const original = theirs.get(ADAPTER_WEIGHTS)!
    const before = parseSafetensors(original).tensors
    const after = parseSafetensors(written).tensors
    // Of a saved module peft writes its bias up to three times where all biases are trained.
    const expected = [...before.keys()].filter((name) => !/\.(modules_to_save|original_module)\./.test(name))
    expect([...after.keys()].sort()).toEqual(expected.sort())
    for (const [name, entry] of after) {
      expect(entry.shape, name).toEqual(before.get(name)!.shape)
      expect(readTensor(written, entry), name).toEqual(readTensor(original, before.get(name)!))
    }
    const config = jsonOf(files)
    const wanted = jsonOf(theirs)
    const compared = Object.keys(config).filter((key) => !['target_modules', 'modules_to_save'].includes(key))
    for (const key of compared) expect(config[key], key).toEqual(wanted[key])
    const again = readPeft(files, tiny.model.family, tiny.model.architecture, tiny.bare)
    expect(again.plan).toEqual(imported.plan)
    tiny.model.dispose()
  })
})

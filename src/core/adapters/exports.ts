// The two exports as people get them: written, read back, compared, and only then zipped.
import { writeZip } from '../../formats/zip.ts'
import { zipBlobs } from '../../formats/zipStream.ts'
import { throwIfAborted } from '../../protocol/errors.ts'
import type { TensorToWrite } from '../../formats/safetensors.ts'
import type { Transformer } from '../models/transformer.ts'
import type { ByteFile } from '../models/weights.ts'
import type { Ops } from '../ops/ops.ts'
import type { Trainable } from '../train/objective.ts'
import { fileBlob, mergedFiles, type MergedExport } from './mergedFiles.ts'
import { peftFiles, type PeftExport } from './peft.ts'
import { hasStart, hostTensors } from './peftTensors.ts'
import { verifyAdapterExport, verifyMergedExport } from './verify.ts'

export interface AdapterExport extends PeftExport {
  /** The base, and what is exported as it stands beside it: at full strength. */
  model: Transformer
  trainable: Trainable
  /** As planAdapter has it. */
  bare: boolean
  padId: number
}

/** A zip in PEFT's layout. Throws E_ARGUMENT where there is no such format, E_INTERNAL where it reads back as another one. */
export async function exportAdapter(spec: AdapterExport): Promise<Blob> {
  const files = peftFiles(spec)
  const converted = hasStart(spec.plan, hostTensors(spec.tensors)) || spec.forLlamaCpp === true
  await verifyAdapterExport({ ...spec, files, converted })
  return new Blob([writeZip(Object.fromEntries(files))], { type: 'application/zip' })
}

export interface ModelExport extends Omit<MergedExport, 'tensors'> {
  tensors: readonly TensorToWrite[]
  ops: Ops
  signal?: AbortSignal
  /** Told how many bytes of how many are written. */
  onBytes?: (done: number, total: number) => void
  /** Takes the device for the check, where others use it meanwhile. */
  onDevice?: <T>(work: () => Promise<T>) => Promise<T>
}

/** A zip of the merged model in transformers' layout. Throws E_NON_FINITE, E_LIMIT, E_INTERNAL as the parts do, E_ABORTED. */
export async function exportMerged(spec: ModelExport): Promise<Blob> {
  const { signal, onBytes, onDevice = (work) => work() } = spec
  const files = mergedFiles({ ...spec, tensors: hostTensors(spec.tensors) })
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  const blobs = new Map<string, Blob>()
  for (const file of files) {
    const blob = await fileBlob(file, (bytes) => {
      throwIfAborted(signal)
      done += bytes
      onBytes?.(done, total)
    })
    blobs.set(file.name, blob)
  }
  const weights = [...blobs]
    .filter(([name]) => name.endsWith('.safetensors'))
    .map(([name, blob]) => blobFile(name, blob))
  await onDevice(() => verifyMergedExport({ ...spec, classify: spec.labels !== null, weights }))
  return zipBlobs(blobs, signal)
}

function blobFile(name: string, blob: Blob): ByteFile {
  return {
    name,
    bytes: blob.size,
    read: async (begin, end) => new Uint8Array(await blob.slice(begin, end).arrayBuffer()),
  }
}

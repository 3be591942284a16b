// A whole model as transformers' save_pretrained writes it: config.json, safetensors (sharded above 2 GB), the tokenizer's
// files as they were, a model card. Everything large is made while it is read.
import { elements, shards, SHARD_BYTES, streamHeader } from '../../formats/safetensorsStream.ts'
import { mergedCard, type CardSource } from './card.ts'
import { encodeFloats, FLOAT_BYTES, FLOAT_NAMES, type FloatType } from './encode.ts'
import { mergedTensors, type Merge, type MergedTensor } from './merge.ts'

export interface MergedExport extends CardSource, Omit<Merge, 'family' | 'classify'> {
  dtype: FloatType
  /** The base's config.json. */
  config: Record<string, unknown>
  /** Other files of the base that belong to the model: the tokenizer's, generation_config.json. */
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  padId: number
  shardBytes?: number
}

export interface ExportedFile {
  name: string
  bytes: number
  /** The content, a piece at a time. Throws E_NON_FINITE where a value does not fit the type. */
  content(): AsyncGenerator<Uint8Array<ArrayBuffer>>
}

/** Every file of the export; weights are read and merged when their content is asked for. */
export function mergedFiles(spec: MergedExport): ExportedFile[] {
  const { dtype, files, labels } = spec
  const tensors = mergedTensors({ ...spec, classify: labels !== null })
  const parts = shards(tensors, FLOAT_BYTES[dtype], spec.shardBytes ?? SHARD_BYTES)
  const names = parts.map((_, i) => partName(i, parts.length))
  const own = new Set(['config.json', 'README.md', 'model.safetensors.index.json', ...names])
  return [
    textFile('config.json', `${JSON.stringify(mergedConfig(spec), null, 2)}\n`),
    ...parts.map((part, i) => weightsFile(names[i]!, part, dtype)),
    ...(parts.length > 1 ? [textFile('model.safetensors.index.json', indexOf(parts, names, dtype))] : []),
    ...[...files].filter(([name]) => !own.has(name)).map(([name, content]) => bytesFile(name, content)),
    textFile('README.md', mergedCard(spec)),
  ]
}

function mergedConfig({ config, family, labels, dtype, padId }: MergedExport): Record<string, unknown> {
  const { _name_or_path: _, torch_dtype: _old, dtype: _new, ...kept } = config
  const type = { ['dtype' in config ? 'dtype' : 'torch_dtype']: FLOAT_NAMES[dtype].torch }
  if (labels === null) return { ...kept, ...type, architectures: [family.classes.language] }
  return {
    ...kept,
    ...type,
    architectures: [family.classes.classify],
    // Classifiers that read the last real token have to know which id is none.
    ...(family.classifier.row === 'last' && { pad_token_id: padId }),
    problem_type: 'single_label_classification',
    id2label: Object.fromEntries(labels.map((label, i) => [String(i), label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
  }
}

function partName(index: number, count: number): string {
  const digits = (value: number) => String(value).padStart(5, '0')
  return count === 1 ? 'model.safetensors' : `model-${digits(index + 1)}-of-${digits(count)}.safetensors`
}

function indexOf(parts: MergedTensor[][], names: string[], dtype: FloatType): string {
  const sizes = parts.flat().map(({ shape }) => FLOAT_BYTES[dtype] * elements(shape))
  const index = {
    metadata: { total_size: sizes.reduce((sum, size) => sum + size, 0) },
    weight_map: Object.fromEntries(parts.flatMap((part, i) => part.map(({ name }) => [name, names[i]!]))),
  }
  return `${JSON.stringify(index, null, 2)}\n`
}

function weightsFile(name: string, tensors: MergedTensor[], dtype: FloatType): ExportedFile {
  const header = streamHeader(tensors, FLOAT_NAMES[dtype].safetensors)
  const data = tensors.reduce((sum, { shape }) => sum + FLOAT_BYTES[dtype] * elements(shape), 0)
  return {
    name,
    bytes: header.length + data,
    async *content() {
      yield header
      for (const tensor of tensors)
        for await (const piece of tensor.pieces()) yield encodeFloats(piece, dtype, tensor.name)
    },
  }
}

function textFile(name: string, text: string): ExportedFile {
  return bytesFile(name, new TextEncoder().encode(text))
}

function bytesFile(name: string, content: Uint8Array<ArrayBuffer>): ExportedFile {
  return {
    name,
    bytes: content.length,
    async *content() {
      yield content
    },
  }
}

/** The content as a Blob that the browser may keep on disk; memory holds one piece at a time. */
export async function fileBlob(
  file: ExportedFile,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<Blob> {
  const parts: Blob[] = []
  for await (const piece of file.content()) {
    parts.push(new Blob([piece]))
    onBytes(piece.length)
  }
  return new Blob(parts)
}

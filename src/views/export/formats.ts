// The two forms of an export: what is inside, and how large it will be.

export type Dtype = 'f32' | 'f16' | 'bf16'

export const DTYPES: { value: Dtype; label: string; bytes: number; about: string }[] = [
  { value: 'f32', label: 'f32', bytes: 4, about: 'Full precision: nothing is rounded.' },
  {
    value: 'f16',
    label: 'f16',
    bytes: 2,
    about: 'Half the size. Fine for most tools; very large values are out of its range.',
  },
  {
    value: 'bf16',
    label: 'bf16',
    bytes: 2,
    about: 'Half the size, with the range of f32 and fewer digits: what most bases on the Hub are stored in.',
  },
]

/** Trained weights are written in f32. */
export function adapterBytes(weights: number): number {
  return weights * 4
}

export function mergedBytes(parameters: number, dtype: Dtype): number {
  return parameters * DTYPES.find(({ value }) => value === dtype)!.bytes
}

export const FILES: Record<'adapter' | 'merged', { name: string; about: string }[]> = {
  adapter: [
    {
      name: 'adapter_model.safetensors',
      about: 'the trained weights, and the label head where there is one',
    },
    { name: 'adapter_config.json', about: 'rank, alpha, adapted layers, the base it belongs to' },
    { name: 'README.md', about: 'a model card: data, settings, results' },
  ],
  merged: [
    { name: 'model.safetensors', about: 'all weights, what was learned added in' },
    { name: 'config.json', about: 'the architecture, and the labels where there are some' },
    { name: 'tokenizer.json, tokenizer_config.json', about: 'the tokenizer and the chat template' },
    { name: 'README.md', about: 'a model card: data, settings, results' },
  ],
}

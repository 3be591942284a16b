// Names of tensors in adapter files: as PEFT's releases have written them over the years, with and without the adapter's
// name ("default") in them, and what each of them is.
import { GraftError } from '../../protocol/errors.ts'
import type { Family } from '../models/architecture.ts'

export type PeftTensor =
  | { kind: 'a' | 'b' | 'magnitude'; path: string }
  /** A tensor of the base that was trained whole, by its name there. */
  | { kind: 'saved'; name: string }
  /** A copy of the base's own, which PEFT writes beside trained biases. */
  | { kind: 'copy' }

const FACTOR = /^(.+)\.lora_([AB])(?:\.[^.]+)?\.weight$/
const MAGNITUDE = /^(.+)\.lora_magnitude_vector(?:\.[^.]+){0,2}$/

/** Throws E_FORMAT naming a tensor of a kind that Graft does not use. */
export function peftTensor(name: string, family: Family): PeftTensor {
  const inner = name.replace(/^base_model\.model\./, '')
  const factor = FACTOR.exec(inner)
  if (factor) return { kind: factor[2] === 'A' ? 'a' : 'b', path: withPrefix(factor[1]!, family) }
  const magnitude = MAGNITUDE.exec(inner)
  if (magnitude) return { kind: 'magnitude', path: withPrefix(magnitude[1]!, family) }
  const strange = /\.(lora_embedding_[AB]|lora_[AB](?:\.[^.]+)?\.bias|trainable_tokens_\w+|lora_\w+)/.exec(
    inner,
  )
  if (strange) throw strangeTensor(name, strange[1]!)
  if (inner.includes('.original_module.')) return { kind: 'copy' }
  const saved = inner.replace(/\.modules_to_save(?:\.default)?\./, '.').replace('.base_layer.', '.')
  return { kind: 'saved', name: withPrefix(saved, family) }
}

/** Adapters of bare models (AutoModel) leave the prefix out. */
function withPrefix(path: string, family: Family): string {
  const { prefix, head } = family.names
  const own = [head.path, ...family.classifier.layers.map((layer) => layer.path)]
  const starts = (start: string) => path === start || path.startsWith(`${start}.`)
  return path.startsWith(prefix) || own.some(starts) ? path : `${prefix}${path}`
}

function strangeTensor(name: string, part: string): GraftError {
  const what = part.startsWith('lora_embedding')
    ? 'factors beside a token table'
    : part.endsWith('.bias')
      ? 'biases of its factors (lora_bias)'
      : `tensors of a kind that Graft does not know (${part})`
  return new GraftError(
    'E_MODEL_UNSUPPORTED',
    `The adapter has ${what}: ${name}. Merge it into its base with peft's merge_and_unload and load the result as a base.`,
    { tensor: name },
  )
}

// What the encoders of BERT's line have in common: bidirectional attention, post-norm blocks with LayerNorm and biases,
// learned positions, a norm on the input.
import { GraftError } from '../../protocol/errors.ts'
import type { Activation } from '../ops/ops.ts'
import type { Architecture } from './architecture.ts'
import type { ConfigReader } from './config.ts'
import { readTokenIds } from './decoder.ts'
import { MAX, MAX_CONTEXT } from './limits.ts'

export const ENCODER_TASKS = ['classify'] as const

/** What encoders call their activations. */
const ENCODER_ACTIVATIONS: Record<string, Activation> = {
  gelu: 'gelu',
  gelu_new: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  relu: 'relu',
  silu: 'silu',
}

/** Fields that DistilBERT names in its own way. */
export interface EncoderFields {
  hidden: string
  intermediate: string
  layers: string
  heads: string
  act: string
}

export const BERT_FIELDS: EncoderFields = {
  hidden: 'hidden_size',
  intermediate: 'intermediate_size',
  layers: 'num_hidden_layers',
  heads: 'num_attention_heads',
  act: 'hidden_act',
}

/** `offset`: of the first position in the table; `types`: rows of the table of token types, 0 for none. */
export function readEncoder(
  read: ConfigReader,
  family: string,
  fields: EncoderFields,
  offset: number,
  types: number,
): Architecture {
  const hidden = read.size(fields.hidden, undefined, MAX.width)
  const heads = read.size(fields.heads, undefined, MAX.heads)
  const layers = read.size(fields.layers, undefined, MAX.layers)
  const vocab = read.size('vocab_size', undefined, MAX.vocab)
  const rows = read.size('max_position_embeddings', 512, MAX_CONTEXT)
  if (rows <= offset)
    throw new GraftError(
      'E_MODEL_FILES',
      `config.json: max_position_embeddings is ${rows}, but the first position is read at ${offset}.`,
      { field: 'max_position_embeddings' },
    )
  const headSize = hidden / heads
  return {
    family,
    kind: 'encoder',
    hidden,
    intermediate: read.size(fields.intermediate, undefined, MAX.width),
    layers,
    heads,
    keyValueHeads: heads,
    headSize,
    vocab,
    context: rows - offset,
    norm: { kind: 'layer', epsilon: read.positive('layer_norm_eps', 1e-12), offset: 0 },
    order: 'post',
    attention: {
      scale: 1 / Math.sqrt(headSize),
      causal: false,
      bias: true,
      outputBias: true,
      headNorm: false,
      windows: new Array<null>(layers).fill(null),
    },
    positions: { kind: 'learned', rows, offset },
    mlp: { gated: false, act: read.choice(fields.act, 'gelu', ENCODER_ACTIVATIONS), bias: true },
    inputs: { scale: 1, types, norm: true },
    finalNorm: false,
    tiedHead: read.boolean('tie_word_embeddings', true),
    ...readTokenIds(read, vocab),
  }
}

// The untrained encoder that the planted model begins as: a BERT of one layer over a vocabulary of whole words.
//
// One layer, so that what stands at a word is that word, and the answer is read from all of them at once. The embedding of
// the token type, which every word has in common, begins longer than those of words. The norm behind it takes away the
// length of their sum, and it would take away the length of a word's own embedding if that were all of the sum: the gradient
// would stand at right angles to the embedding, and gradient x input, the product of the two, would be noise.
import { normals } from '../../../src/core/rng.ts'
import { writeSafetensors } from '../../../src/formats/safetensors.ts'
import { modelBytes } from '../../golden/load.ts'

const HIDDEN = 32
const HEADS = 2
const LAYERS = 1
const INTERMEDIATE = 64
export const CONTEXT = 32
const STD = 0.02
const TYPE_STD = 0.3

/** Standard deviations of what does not begin at `STD`; norms begin as the identity, biases at zero. */
const START: Record<string, number> = { 'token_type_embeddings.weight': TYPE_STD }

/** The files of a base, as a person would drop them; `seed` draws the weights. */
export function plantedBase(vocabulary: readonly string[], seed: number): File[] {
  const golden = modelBytes('tiny-bert')
  const json = (name: string) =>
    JSON.parse(new TextDecoder().decode(golden.get(name))) as Record<string, unknown>
  const tokenizer = json('tokenizer.json') as { model: object; added_tokens: { content: string }[] }
  const words = [...tokenizer.added_tokens.map(({ content }) => content), ...vocabulary]
  const vocab = Object.fromEntries(words.map((word, id) => [word, id]))
  const config = {
    ...json('config.json'),
    hidden_size: HIDDEN,
    num_attention_heads: HEADS,
    num_hidden_layers: LAYERS,
    intermediate_size: INTERMEDIATE,
    max_position_embeddings: CONTEXT,
    vocab_size: words.length,
    type_vocab_size: 1,
  }
  const tensors = shapes(words.length).map(([name, shape], layer) => {
    const size = shape.reduce((product, extent) => product * extent, 1)
    const end = Object.keys(START).find((end) => name.endsWith(end))
    const std = end === undefined ? STD : START[end]!
    const data =
      shape.length > 1
        ? normals({ seed, purpose: 'init', layer }, size).map((z) => z * std)
        : new Float32Array(size).fill(name.endsWith('LayerNorm.weight') ? 1 : 0)
    return { name: `bert.${name}`, shape, data }
  })
  const text = (name: string, value: unknown) => new File([JSON.stringify(value)], name)
  return [
    text('config.json', config),
    text('tokenizer.json', { ...tokenizer, model: { ...tokenizer.model, vocab } }),
    text('tokenizer_config.json', json('tokenizer_config.json')),
    new File([writeSafetensors(tensors)], 'model.safetensors'),
  ]
}

/** Names and shapes of the tensors. */
function shapes(vocabulary: number): [name: string, shape: number[]][] {
  const linear = (path: string, out: number, inputs: number): [string, number[]][] => [
    [`${path}.weight`, [out, inputs]],
    [`${path}.bias`, [out]],
  ]
  const norm = (path: string): [string, number[]][] => [
    [`${path}.LayerNorm.weight`, [HIDDEN]],
    [`${path}.LayerNorm.bias`, [HIDDEN]],
  ]
  const layers = Array.from({ length: LAYERS }, (_, layer) => {
    const block = `encoder.layer.${layer}`
    return [
      ...['query', 'key', 'value'].flatMap((part) =>
        linear(`${block}.attention.self.${part}`, HIDDEN, HIDDEN),
      ),
      ...linear(`${block}.attention.output.dense`, HIDDEN, HIDDEN),
      ...norm(`${block}.attention.output`),
      ...linear(`${block}.intermediate.dense`, INTERMEDIATE, HIDDEN),
      ...linear(`${block}.output.dense`, HIDDEN, INTERMEDIATE),
      ...norm(`${block}.output`),
    ]
  })
  return [
    ['embeddings.word_embeddings.weight', [vocabulary, HIDDEN]],
    ['embeddings.position_embeddings.weight', [CONTEXT, HIDDEN]],
    ['embeddings.token_type_embeddings.weight', [1, HIDDEN]],
    ...norm('embeddings'),
    ...layers.flat(),
    ...linear('pooler.dense', HIDDEN, HIDDEN),
  ]
}

// BERT: token types, learned positions, a pooler under the classifier, a head for masked tokens.
// Fields as in transformers' configuration_bert.py; Devlin et al. 2019 (arXiv 1810.04805).
import type { Family } from '../architecture.ts'
import { ConfigReader } from '../config.ts'
import { BERT_FIELDS, ENCODER_TASKS, readEncoder } from '../encoder.ts'

/** Modules of a block of BERT and RoBERTa. */
export const BERT_BLOCK = {
  linears: {
    q: 'attention.self.query',
    k: 'attention.self.key',
    v: 'attention.self.value',
    o: 'attention.output.dense',
    up: 'intermediate.dense',
    down: 'output.dense',
  },
  norms: { attentionOut: 'attention.output.LayerNorm', mlpOut: 'output.LayerNorm' },
} as const

export const bert: Family = {
  modelType: 'bert',
  tasks: ENCODER_TASKS,
  names: {
    ...BERT_BLOCK,
    prefix: 'bert.',
    tokens: 'bert.embeddings.word_embeddings',
    positions: 'bert.embeddings.position_embeddings',
    types: 'bert.embeddings.token_type_embeddings',
    inputNorm: 'bert.embeddings.LayerNorm',
    block: (layer) => `bert.encoder.layer.${layer}`,
    head: {
      path: 'cls.predictions.decoder',
      bias: 'cls.predictions.bias',
      transform: {
        dense: 'cls.predictions.transform.dense',
        norm: 'cls.predictions.transform.LayerNorm',
      },
    },
  },
  classifier: {
    row: 'first',
    layers: [
      { path: 'bert.pooler.dense', out: 'hidden', bias: true, act: 'tanh', base: true },
      { path: 'classifier', out: 'labels', bias: true },
    ],
    modules: ['classifier'],
  },
  classes: { language: 'BertForMaskedLM', classify: 'BertForSequenceClassification' },
  parseConfig(config) {
    const read = new ConfigReader('bert', config)
    read.refuseUnless('position_embedding_type', 'absolute', 'absolute')
    read.refuseUnless('is_decoder', false, false)
    return readEncoder(read, 'bert', BERT_FIELDS, 0, read.size('type_vocab_size', 2, 1024))
  },
}

// RoBERTa and DistilRoBERTa: BERT's blocks with positions that begin after the padding id, and a classifier of two layers.
// Fields as in transformers' configuration_roberta.py; Liu et al. 2019 (arXiv 1907.11692).
import type { Family } from '../architecture.ts'
import { BERT_BLOCK } from '../bert/index.ts'
import { ConfigReader } from '../config.ts'
import { BERT_FIELDS, ENCODER_TASKS, readEncoder } from '../encoder.ts'

export const roberta: Family = {
  modelType: 'roberta',
  tasks: ENCODER_TASKS,
  names: {
    ...BERT_BLOCK,
    prefix: 'roberta.',
    tokens: 'roberta.embeddings.word_embeddings',
    positions: 'roberta.embeddings.position_embeddings',
    types: 'roberta.embeddings.token_type_embeddings',
    inputNorm: 'roberta.embeddings.LayerNorm',
    block: (layer) => `roberta.encoder.layer.${layer}`,
    head: {
      path: 'lm_head.decoder',
      bias: 'lm_head.bias',
      transform: { dense: 'lm_head.dense', norm: 'lm_head.layer_norm', act: 'gelu' },
    },
  },
  classifier: {
    row: 'first',
    layers: [
      { path: 'classifier.dense', out: 'hidden', bias: true, act: 'tanh' },
      { path: 'classifier.out_proj', out: 'labels', bias: true },
    ],
    modules: ['classifier'],
  },
  classes: { language: 'RobertaForMaskedLM', classify: 'RobertaForSequenceClassification' },
  parseConfig(config) {
    const read = new ConfigReader('roberta', config)
    read.refuseUnless('position_embedding_type', 'absolute', 'absolute')
    read.refuseUnless('is_decoder', false, false)
    const padding = read.ids('pad_token_id')[0] ?? 1
    return readEncoder(read, 'roberta', BERT_FIELDS, padding + 1, read.size('type_vocab_size', 2, 1024))
  },
}

// DistilBERT: BERT without token types and pooler, with names of its own.
// Fields as in transformers' configuration_distilbert.py; Sanh et al. 2019 (arXiv 1910.01108).
import type { Family } from '../architecture.ts'
import { ConfigReader } from '../config.ts'
import { ENCODER_TASKS, readEncoder } from '../encoder.ts'

export const distilbert: Family = {
  modelType: 'distilbert',
  tasks: ENCODER_TASKS,
  names: {
    prefix: 'distilbert.',
    tokens: 'distilbert.embeddings.word_embeddings',
    positions: 'distilbert.embeddings.position_embeddings',
    inputNorm: 'distilbert.embeddings.LayerNorm',
    block: (layer) => `distilbert.transformer.layer.${layer}`,
    linears: {
      q: 'attention.q_lin',
      k: 'attention.k_lin',
      v: 'attention.v_lin',
      o: 'attention.out_lin',
      up: 'ffn.lin1',
      down: 'ffn.lin2',
    },
    norms: { attentionOut: 'sa_layer_norm', mlpOut: 'output_layer_norm' },
    head: {
      path: 'vocab_projector',
      bias: 'vocab_projector.bias',
      transform: { dense: 'vocab_transform', norm: 'vocab_layer_norm' },
    },
  },
  classifier: {
    row: 'first',
    layers: [
      { path: 'pre_classifier', out: 'hidden', bias: true, act: 'relu' },
      { path: 'classifier', out: 'labels', bias: true },
    ],
    modules: ['pre_classifier', 'classifier'],
  },
  classes: { language: 'DistilBertForMaskedLM', classify: 'DistilBertForSequenceClassification' },
  parseConfig(config) {
    const read = new ConfigReader('distilbert', config)
    const fields = {
      hidden: 'dim',
      intermediate: 'hidden_dim',
      layers: 'n_layers',
      heads: 'n_heads',
      act: 'activation',
    }
    return readEncoder(read, 'distilbert', fields, 0, 0)
  },
}

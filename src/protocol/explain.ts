// Explanations as numbers; the Explain view and scripts draw or test the same ones. A file of `explain/` for each family
// of methods.
export * from './explain/common.ts'
export * from './explain/attention.ts'
export * from './explain/attribution.ts'
export * from './explain/saliency.ts'
export * from './explain/anchors.ts'
export * from './explain/counterfactual.ts'
export * from './explain/dataset.ts'
export * from './explain/faithfulness.ts'
export * from './explain/influence.ts'
export * from './explain/layers.ts'
export * from './explain/trust.ts'
export * from './explain/methods.ts'

// The saliency methods in plain words.
import type { SaliencyMethod } from '../../protocol/explain.ts'

export interface MethodChoice {
  value: SaliencyMethod
  label: string
  about: string
  signed: boolean
}

export const METHODS: MethodChoice[] = [
  {
    value: 'gradientXInput',
    label: 'Gradient × input',
    about:
      'How much each token, as it stands, pushes the score up (red) or down (blue), judged by the slope alone.',
    signed: true,
  },
  {
    value: 'integratedGradients',
    label: 'Integrated gradients',
    about:
      'The push of each token, added up along the way from an empty text: the numbers sum to the whole change of the score.',
    signed: true,
  },
  {
    value: 'gradientNorm',
    label: 'Gradient norm',
    about: 'How strongly the score reacts to a small change of each token, whatever its direction.',
    signed: false,
  },
  {
    value: 'smoothGrad',
    label: 'SmoothGrad',
    about: 'The gradient norm, averaged over noisy copies of the text: steadier, and slower.',
    signed: false,
  },
]

export function methodChoice(method: SaliencyMethod): MethodChoice {
  return METHODS.find((choice) => choice.value === method)!
}

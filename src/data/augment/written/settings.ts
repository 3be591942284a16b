// What may be asked of a model that writes rows: defaults, and refusals that name the setting.
import { GraftError } from '../../../protocol/errors.ts'
import { WRITE_FORMS, type WriteRowsRequest } from '../../../protocol/written.ts'

export const WRITE_DEFAULTS = {
  count: 10,
  examples: 4,
  temperature: 0.8,
  topK: 40,
  topP: 0.95,
  minP: 0,
  repetitionPenalty: 1,
  seed: 42,
  threshold: 0.5,
  lengths: [0.05, 0.95] as [number, number],
  tries: 4,
  checkLabels: true,
}
export type WriteSettings = typeof WRITE_DEFAULTS & Pick<WriteRowsRequest, 'form' | 'maxTokens' | 'labels'>

const WHOLE: Partial<Record<keyof WriteSettings, [number, number]>> = {
  count: [1, 1000],
  examples: [1, 32],
  seed: [0, 0xffffffff],
  tries: [1, 50],
  maxTokens: [1, 4096],
}

/** The settings with their defaults. Sampling is checked by `checkGeneration`. Throws E_ARGUMENT. */
export function writeSettings({ target: _target, ...given }: WriteRowsRequest): WriteSettings {
  const refuse = (name: string, wanted: string, value: unknown): never => {
    throw new GraftError('E_ARGUMENT', `${name} must be ${wanted}, but is ${JSON.stringify(value)}.`, {
      setting: name,
    })
  }
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const settings = { ...WRITE_DEFAULTS, ...stated } as WriteSettings
  for (const [name, [least, most]] of Object.entries(WHOLE)) {
    const value = settings[name as keyof WriteSettings]
    if (value === undefined) continue
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
      refuse(name, `a whole number from ${least} to ${most}`, value)
  }
  const { form, threshold, lengths, labels } = settings
  if (form !== undefined && !WRITE_FORMS.includes(form))
    refuse('form', `one of ${WRITE_FORMS.join(', ')}`, form)
  if (!(threshold >= 0.2 && threshold <= 1)) refuse('threshold', 'a number from 0.2 to 1', threshold)
  const [least, most] = Array.isArray(lengths) ? lengths : []
  if (!(least! >= 0 && least! <= most! && most! <= 1))
    refuse('lengths', 'two quantiles from 0 to 1, the smaller first', lengths)
  if (typeof settings.checkLabels !== 'boolean') refuse('checkLabels', 'true or false', settings.checkLabels)
  if (labels !== undefined && !(Array.isArray(labels) && labels.length > 0))
    refuse('labels', 'a list of at least one label', labels)
  return settings
}

// What a tokenizer.json puts around a text ([CLS] … [SEP], a BOS): the post-processor, for single texts.
// https://huggingface.co/docs/tokenizers/api/post-processors
import { count, list, object, text, unknownStage, unsupported, type Json } from './json.ts'

export interface Around {
  before: number[]
  after: number[]
}

/** Throws E_MODEL_UNSUPPORTED for a post-processor that is not known. */
export function makePostProcessor(value: unknown): Around {
  if (value === undefined || value === null) return { before: [], after: [] }
  const json = object(value, 'post-processor')
  switch (json.type) {
    case 'ByteLevel':
      // Only moves offsets, which are not used.
      return { before: [], after: [] }
    case 'BertProcessing':
    case 'RobertaProcessing':
      return { before: [idOf(json.cls)], after: [idOf(json.sep)] }
    case 'TemplateProcessing':
      return template(json)
    case 'Sequence': {
      const all = list(json.processors, 'post-processors').map(makePostProcessor)
      return {
        before: all.reduceRight<number[]>((ids, { before }) => [...ids, ...before], []),
        after: all.flatMap(({ after }) => after),
      }
    }
    default:
      throw unknownStage('post-processor', json.type)
  }
}

/** `["[CLS]", 101]` */
function idOf(value: unknown): number {
  return count(Array.isArray(value) ? value[1] : undefined, 'id of a special token')
}

function template(json: Json): Around {
  const tokens = object(json.special_tokens, 'special tokens of the template')
  const before: number[] = []
  const after: number[] = []
  let found = false
  for (const entry of list(json.single, 'template')) {
    const { Sequence: sequence, SpecialToken: special } = object(entry, 'template')
    if (sequence !== undefined) {
      if (found) throw unsupported('its template has the text twice')
      found = true
    } else {
      const name = text(object(special, 'template').id, 'name of a special token')
      const token = Object.hasOwn(tokens, name) ? tokens[name] : undefined
      const ids = list(object(token, `special token "${name}"`).ids, 'ids of a special token')
      ;(found ? after : before).push(...ids.map((id) => count(id, `id of "${name}"`)))
    }
  }
  if (!found) throw unsupported('its template leaves the text out')
  return { before, after }
}

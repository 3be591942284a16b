// Tokenizer files of a model folder, parsed.
import { readFileSync } from 'node:fs'

type Json = Record<string, unknown>

export function loadFolder(folder: string): [tokenizer: Json, config: Json] {
  const read = (name: string): Json => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as Json
  return [read('tokenizer.json'), read('tokenizer_config.json')]
}

// Writes public/models/index.json: the embedded bases with the size and SHA-256 of each of their files, so that a
// browser can verify what it downloads. Run it after changing public/models: node tools/modelIndex.mjs
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const root = new URL('../public/models/', import.meta.url)
const NAMES = { 'graft-7m': 'Graft-7M' }

const models = Object.entries(NAMES).map(([id, name]) => {
  const folder = new URL(`${id}/`, root)
  const files = readdirSync(folder)
    .sort()
    .map((file) => {
      const content = readFileSync(new URL(file, folder))
      return { name: file, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }
    })
  const read = (file) => readFileSync(new URL(file, folder), 'utf8')
  const hasChatTemplate = 'chat_template' in JSON.parse(read('tokenizer_config.json'))
  return {
    id,
    name,
    config: JSON.parse(read('config.json')),
    hasChatTemplate,
    card: read('README.md'),
    files,
  }
})
writeFileSync(new URL('index.json', root), `${JSON.stringify({ models }, null, 2)}\n`)

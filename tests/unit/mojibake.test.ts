// Broken encodings against ftfy (tools/golden/data/mojibake.py).
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fixMojibake, hasMojibake } from '../../src/data/mojibake.ts'

const cases = JSON.parse(readFileSync(new URL('../golden/data/mojibake.json', import.meta.url), 'utf8')) as {
  text: string
  meant: string
  fixed: string
}[]

test('as ftfy, or as it was meant where ftfy leaves it', () => {
  const wrong = cases.filter(({ text, meant, fixed }) => ![meant, fixed].includes(fixMojibake(text)))
  expect(wrong).toEqual([])
  const alike = cases.filter(({ text, fixed }) => fixMojibake(text) === fixed).length
  expect(alike / cases.length).toBeGreaterThan(0.95)
})

test('clean text stays', () => {
  const clean = cases.filter(({ text, meant }) => text === meant)
  expect(clean.length).toBeGreaterThan(30)
  for (const { text } of clean) {
    expect(fixMojibake(text)).toBe(text)
    expect(hasMojibake(text)).toBe(false)
  }
})

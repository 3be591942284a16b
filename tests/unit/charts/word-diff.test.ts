// Word by word: what stayed, what went, what came.
import { describe, expect, it } from 'vitest'
import { diffWords } from '../../../src/charts/wordDiff.ts'
import { words } from '../../../src/core/rng.ts'

const told = (before: string, after: string) =>
  diffWords(before.split(' '), after.split(' '))
    .map((change) => {
      const word =
        change.after === null ? before.split(' ')[change.before!]! : after.split(' ')[change.after]!
      return { same: '', removed: '-', added: '+' }[change.kind] + word
    })
    .join(' ')

describe('words', () => {
  it('that were put in the place of others stand beside them', () => {
    expect(told('a b c', 'a b c')).toBe('a b c')
    expect(told('I was charged twice today', 'I was charged once today')).toBe(
      'I was charged -twice +once today',
    )
    expect(told('x a b', 'a b y')).toBe('-x a b +y')
    expect(diffWords([], ['a'])).toEqual([{ kind: 'added', before: null, after: 0 }])
    expect(diffWords(['a'], [])).toEqual([{ kind: 'removed', before: 0, after: null }])
  })

  it('of both texts are all told once and in order', () => {
    for (let seed = 0; seed < 50; seed++) {
      const draw = (step: number) =>
        Array.from(words({ seed, purpose: 'sample', step }, 12), (word) => String(word % 4))
      const [before, after] = [draw(0), draw(1)]
      const changes = diffWords(before, after)
      const places = (side: 'before' | 'after') => changes.flatMap((change) => change[side] ?? [])
      expect(places('before')).toEqual(before.map((_, i) => i))
      expect(places('after')).toEqual(after.map((_, i) => i))
      for (const { kind, before: i, after: j } of changes)
        if (kind === 'same') expect(before[i!]).toBe(after[j!])
    }
  })
})

// Pieces of a text, and texts with pieces taken away.
import { describe, expect, it } from 'vitest'
import { masking } from '../../../src/core/explain/masking.ts'
import type { Subject } from '../../../src/core/explain/subject.ts'
import { sumsByUnit, unitsOf } from '../../../src/core/explain/units.ts'

const none = (tokens: string[]) => new Uint8Array(tokens.length)
const texts = (tokens: string[], by: 'word' | 'sentence') =>
  unitsOf(tokens, none(tokens), by).map(({ text }) => text)

describe('pieces', () => {
  it('words are parted by white space and punctuation, and keep what joins them', () => {
    expect(
      texts(['I', ' don', "'", 't', ' re', 'fund', ' e', '-', 'mail', 's', '.', ' No', '!'], 'word'),
    ).toEqual(['I', "don't", 'refund', 'e-mails', '.', 'No', '!'])
  })

  it('words end where white space is written with them, and a sign at an end is a piece of its own', () => {
    expect(texts(['no ', 'more', ' rain'], 'word')).toEqual(['no', 'more', 'rain'])
    expect(texts(['cats', "'", ' toys', ' well', '-'], 'word')).toEqual(['cats', "'", 'toys', 'well', '-'])
  })

  it('white space alone is no word', () => {
    const tokens = [' ', 'no', '\n', '\n', 'rain', ' ', ' today', ' ', '.', ' ']
    expect(texts(tokens, 'word')).toEqual(['no', 'rain', 'today', '.'])
  })

  it('sentences end after a closing quote or bracket', () => {
    expect(texts(['"', 'No', '."', ' It', ' is', '!)', ' Yes'], 'sentence')).toEqual([
      '"No."',
      'It is!)',
      'Yes',
    ])
  })

  it('sentences end at their marks and at line breaks', () => {
    expect(texts(['No', '.', ' It', ' is', ' 3', '.5', '?', '\n', 'Yes'], 'sentence')).toEqual([
      'No.',
      'It is 3.5?',
      'Yes',
    ])
  })

  it('a fixed token parts the pieces beside it; a piece has the sum of its tokens', () => {
    const units = unitsOf(['re', 'fund', '<sep>', 'ed', ' it'], [0, 0, 1, 0, 0], 'word')
    expect(units).toEqual([
      { text: 'refund', from: 0, to: 2 },
      { text: 'ed', from: 3, to: 4 },
      { text: 'it', from: 4, to: 5 },
    ])
    expect([...sumsByUnit([1, 2, 40, 8, 16], units)]).toEqual([3, 8, 16])
  })

  it('fixed tokens belong to none, and sums of all pieces leave them out', () => {
    const tokens = ['<s>', 'a', ' b', '</s>']
    const units = unitsOf(tokens, [1, 0, 0, 1], 'token')
    expect(units).toEqual([
      { text: 'a', from: 1, to: 2 },
      { text: 'b', from: 2, to: 3 },
    ])
    expect([...sumsByUnit([10, 1, 2, 10], units)]).toEqual([1, 2])
  })
})

describe('masking', () => {
  const ids = [7, 11, 12, 13, 8]
  const units = [1, 2, 3].map((t) => ({ text: '', from: t, to: t + 1 }))
  const subject = (position: number, maskId: number | null = null) =>
    ({ ids, padId: 0, maskId, explained: { index: 0, contrast: null, position } }) as unknown as Subject

  it('puts the padding or the mask token in the place of a piece', () => {
    expect(masking(subject(4), units).masked([1, 0, 1])).toEqual({ ids: [7, 11, 0, 13, 8], position: 4 })
    expect(masking(subject(4, 99), units).masked([1, 0, 1]).ids).toEqual([7, 11, 99, 13, 8])
    expect(() => masking(subject(4), units, 'mask')).toThrowError(/no mask token/)
  })

  it('removes, and reads the answer where it then is', () => {
    const removed = (position: number, keep: number[]) =>
      masking(subject(position), units, 'remove').masked(keep)
    expect(removed(4, [0, 1, 0])).toEqual({ ids: [7, 12, 8], position: 2 })
    expect(removed(0, [0, 0, 0])).toEqual({ ids: [7, 8], position: 0 })
    // At an end the token goes too, and the answer is read from what is then the end.
    const every = ids.map((_, t) => ({ text: '', from: t, to: t + 1 }))
    const left = (position: number, keep: number[]) =>
      masking(subject(position), every, 'remove').masked(keep)
    expect(left(4, [1, 1, 0, 1, 0])).toEqual({ ids: [7, 11, 13], position: 2 })
    expect(left(0, [0, 1, 1, 1, 1])).toEqual({ ids: [11, 12, 13, 8], position: 0 })
    // Of nothing the padding is left.
    expect(left(4, [0, 0, 0, 0, 0])).toEqual({ ids: [0], position: 0 })
    // A mask in the middle stays even where its piece is taken away.
    expect(removed(2, [0, 0, 1])).toEqual({ ids: [7, 12, 13, 8], position: 1 })
  })
})

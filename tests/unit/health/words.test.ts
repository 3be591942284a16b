// The groups of people as a person edits them.
import { describe, expect, it } from 'vitest'
import { GROUPS } from '../../../src/data/health/lexicon.ts'
import { readGroups, writeGroups } from '../../../src/views/data/healthWords.ts'

describe('groups as text', () => {
  it('come back as they were', () => {
    expect(readGroups(writeGroups(GROUPS), GROUPS)).toEqual({ groups: GROUPS, wrong: null })
  })
  it('say which line is no group, and take the others', () => {
    expect(readGroups('nurses: nurse,  head nurse,\n\nno words:\n: x', GROUPS)).toEqual({
      groups: [{ theme: '', name: 'nurses', words: ['nurse', 'head nurse'] }],
      wrong: 3,
    })
  })
})

// A target goes into the address and comes out of it; what else stands there is left alone.
import { expect, it } from 'vitest'
import type { Target } from '../../../src/protocol/target.ts'
import { queryOf, searchOf } from '../../../src/state/query.ts'
import { targetFromQuery, targetToQuery } from '../../../src/state/targetAddress.ts'

it('every kind of target comes back as it was', () => {
  const targets: Target[] = [
    { run: 'run-1' },
    { run: 'run-1', checkpoint: 'step 3', strength: 0.25 },
    { run: 'a & b', strength: 0 },
    { model: 'graft-7m' },
    { model: 'owner/name', adapter: 'pirate', strength: 0.5 },
  ]
  for (const target of targets) {
    const query = queryOf(searchOf({ text: 'a=b', ...targetToQuery(target) }))
    expect(targetFromQuery(query)).toEqual({ target, rest: { text: 'a=b' } })
  }
})

it('says nothing of the whole strength, and takes none that is out of range', () => {
  expect(targetToQuery({ run: 'r', strength: 1 })).toEqual({ run: 'r' })
  for (const strength of ['1', '2', '-1', 'half', ''])
    expect(targetFromQuery({ run: 'r', strength }).target).toEqual({ run: 'r' })
  expect(targetFromQuery({ head: '1.2' })).toEqual({ target: null, rest: { head: '1.2' } })
  expect(targetFromQuery({ run: '' }).target).toBeNull()
})

// How the health report is said: names of checks, of what comes first, and the groups of people as text.
import type { DemographicGroup, FindingKind, Severity } from '../../protocol/health.ts'

export const GROUPS: Record<Severity, { title: string; text: string; one: string }> = {
  fix: {
    title: 'Fix first',
    text: 'These spoil training, or the figures by which you judge it.',
    one: 'to fix',
  },
  check: {
    title: 'Have a look',
    text: 'Often a fault, sometimes meant. Open them and read a few rows.',
    one: 'to check',
  },
  know: { title: 'Good to know', text: 'True of the data, and no fault by itself.', one: 'to know' },
}

export const KINDS: Record<FindingKind, string> = {
  missing: 'Missing values',
  exactDuplicates: 'Exact copies',
  nearDuplicates: 'Near-copies',
  labelConflicts: 'One text, several labels',
  rareClasses: 'Rare classes',
  imbalance: 'Balance of the classes',
  mislabelled: 'Wrong labels',
  controlCharacters: 'Hidden characters',
  mojibake: 'Broken encodings',
  html: 'HTML',
  urls: 'Web addresses',
  repetition: 'Repetition',
  language: 'Language',
  lengthOutliers: 'Unusual lengths',
  characterOutliers: 'Unusual characters',
  personalData: 'Personal data',
  splitLeakage: 'Test rows in training',
  labelLeakage: 'Label given away',
  truncation: 'Cut rows',
  unlearnable: 'Nothing to learn',
  groups: 'Groups of people',
  labelWords: 'Words of the labels',
  classCoverage: 'Target shares',
}

/** Groups of people as a person edits them: one a line, its name, a colon, and its words. */
export function writeGroups(groups: readonly DemographicGroup[]): string {
  return groups.map(({ name, words }) => `${name}: ${words.join(', ')}`).join('\n')
}

/** What was written; `wrong` is the first line that is no group, from 1. Known names keep their theme. */
export function readGroups(
  text: string,
  known: readonly DemographicGroup[],
): { groups: DemographicGroup[]; wrong: number | null } {
  let wrong: number | null = null
  const groups = text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return []
    const at = line.indexOf(':')
    const name = line.slice(0, Math.max(0, at)).trim()
    const words = line
      .slice(at + 1)
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '')
    if (name === '' || words.length === 0) {
      wrong ??= i + 1
      return []
    }
    return [{ theme: known.find((group) => group.name === name)?.theme ?? '', name, words }]
  })
  return { groups, wrong }
}

// How the health report is said: names of checks, and of what comes first.
import type { FindingKind, Severity } from '../../protocol/health.ts'

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

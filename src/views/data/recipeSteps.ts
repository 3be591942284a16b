// The steps of a recipe as people choose and set them: their names, what they are for, and the fields of their forms. The
// fields stand beside each other here so that a form is built from them, not written for each step.
import { AUGMENTATIONS, PERSONAL_KINDS, type RecipeStep, type StepKind } from '../../protocol/recipe.ts'

interface Common {
  key: string
  label: string
  help?: string
  /** Shown only while this is true of the step. */
  when?: (step: Record<string, unknown>) => boolean
}
export type StepField = Common &
  (
    | {
        type:
          | 'columns'
          | 'column'
          | 'newColumn'
          | 'text'
          | 'template'
          | 'expression'
          | 'flag'
          | 'lines'
          | 'pairs'
          | 'weights'
          | 'shares'
          | 'rows'
          | 'fill'
      }
    | { type: 'number'; min: number; max: number; step?: number; unit?: string; placeholder?: string }
    | { type: 'choice'; options: { value: string; label: string }[] }
    | { type: 'several'; options: { value: string; label: string }[] }
  )

export interface StepWords {
  kind: StepKind
  name: string
  about: string
  group: 'Clean' | 'Rows' | 'Labels' | 'Columns' | 'Training rows'
  fields: StepField[]
  /** A new step for a dataset with these columns. */
  start(columns: readonly string[], label: string | undefined, text: string | undefined): RecipeStep
}

const columns: StepField = {
  key: 'columns',
  type: 'columns',
  label: 'Columns',
  help: 'Where the step looks. None chosen: in all.',
}
const keep: StepField = {
  key: 'keep',
  type: 'choice',
  label: 'Keep of each set',
  options: [
    { value: 'first', label: 'The first' },
    { value: 'last', label: 'The last' },
    { value: 'longest', label: 'The longest' },
  ],
}
const none = (label: string) => ({ value: '', label })

const PERSONAL_WORDS: Record<(typeof PERSONAL_KINDS)[number], string> = {
  email: 'E-mail addresses',
  phone: 'Phone numbers',
  card: 'Payment cards',
  iban: 'Bank accounts (IBAN)',
  ip: 'IP addresses',
  nationalId: 'National identifiers',
  name: 'Names after a title',
}
const METHOD_WORDS: Record<(typeof AUGMENTATIONS)[number], string> = {
  delete: 'Leave words out',
  swap: 'Swap words',
  insert: 'Insert words',
  synonym: 'Synonyms (English)',
  typo: 'Typing slips',
  noise: 'Case and punctuation',
  paraphrase: 'Wrap in a template',
}

export const STEPS: readonly StepWords[] = [
  {
    kind: 'normalise',
    name: 'Tidy text',
    about: 'White space, Unicode form, quotation marks, letter case, control characters.',
    group: 'Clean',
    fields: [
      columns,
      {
        key: 'space',
        type: 'choice',
        label: 'White space',
        options: [
          none('Leave'),
          { value: 'trim', label: 'Trim the ends' },
          { value: 'collapse', label: 'Trim, and one space between words' },
        ],
      },
      {
        key: 'form',
        type: 'choice',
        label: 'Unicode form',
        help: 'NFC writes accented letters as one character. NFKC also turns ligatures and full-width letters into plain ones.',
        options: [none('Leave'), { value: 'NFC', label: 'NFC' }, { value: 'NFKC', label: 'NFKC' }],
      },
      {
        key: 'case',
        type: 'choice',
        label: 'Letter case',
        options: [
          none('Leave'),
          { value: 'lower', label: 'Lower case' },
          { value: 'upper', label: 'Upper case' },
        ],
      },
      { key: 'quotes', type: 'flag', label: 'Straight quotation marks' },
      { key: 'controls', type: 'flag', label: 'Remove control and invisible characters' },
    ],
    start: () => ({ kind: 'normalise', space: 'collapse', form: 'NFC', controls: true }),
  },
  {
    kind: 'stripHtml',
    name: 'Strip HTML',
    about: 'Tags go, entities such as &amp; become characters.',
    group: 'Clean',
    fields: [columns],
    start: () => ({ kind: 'stripHtml' }),
  },
  {
    kind: 'fixMojibake',
    name: 'Mend broken encodings',
    about: '“cafÃ©” becomes “café”. Clean text stays as it is.',
    group: 'Clean',
    fields: [columns],
    start: () => ({ kind: 'fixMojibake' }),
  },
  {
    kind: 'redact',
    name: 'Redact personal data',
    about:
      'Addresses, numbers and names become placeholders such as [EMAIL_1], the same one for the same value.',
    group: 'Clean',
    fields: [
      columns,
      {
        key: 'kinds',
        type: 'several',
        label: 'Kinds',
        help: 'None chosen: all of them.',
        options: PERSONAL_KINDS.map((kind) => ({ value: kind, label: PERSONAL_WORDS[kind] })),
      },
    ],
    start: () => ({ kind: 'redact' }),
  },
  {
    kind: 'replaceWords',
    name: 'Replace words',
    about: 'Words and phrases become another text, or go: as whole words, whatever their case.',
    group: 'Clean',
    fields: [
      columns,
      { key: 'words', type: 'lines', label: 'Words', help: 'One word or phrase a line.' },
      { key: 'with', type: 'text', label: 'Write instead', help: 'Empty: the words go.' },
    ],
    start: (_columns, _label, text) => ({
      kind: 'replaceWords',
      words: [],
      ...(text && { columns: [text] }),
    }),
  },
  {
    kind: 'truncate',
    name: 'Cut long cells',
    about: 'Keeps the start or the end of a cell, up to a length.',
    group: 'Clean',
    fields: [
      columns,
      { key: 'limit', type: 'number', label: 'Longest', min: 1, max: 10_000_000, step: 1 },
      {
        key: 'unit',
        type: 'choice',
        label: 'Counted in',
        options: [
          { value: 'words', label: 'Words' },
          { value: 'characters', label: 'Characters' },
        ],
      },
      {
        key: 'keep',
        type: 'choice',
        label: 'Keep',
        options: [
          { value: 'start', label: 'The start' },
          { value: 'end', label: 'The end' },
        ],
      },
    ],
    start: (_columns, _label, text) => ({
      kind: 'truncate',
      unit: 'words',
      limit: 200,
      ...(text && { columns: [text] }),
    }),
  },
  {
    kind: 'dropMissing',
    name: 'Drop rows with empty cells',
    about: 'A row without a text or a label teaches nothing.',
    group: 'Rows',
    fields: [
      columns,
      {
        key: 'when',
        type: 'choice',
        label: 'Drop a row when',
        options: [
          { value: 'any', label: 'Any of them is empty' },
          { value: 'all', label: 'All of them are empty' },
        ],
      },
    ],
    start: () => ({ kind: 'dropMissing' }),
  },
  {
    kind: 'fillMissing',
    name: 'Fill empty cells',
    about: 'With a value, or with the most frequent one of the column.',
    group: 'Rows',
    fields: [columns, { key: 'with', type: 'fill', label: 'Fill with' }],
    start: ([first = '']) => ({ kind: 'fillMissing', columns: [first], with: 'mode' }),
  },
  {
    kind: 'dedupeExact',
    name: 'Drop exact duplicates',
    about: 'Of rows with equal cells, one stays.',
    group: 'Rows',
    fields: [columns, keep, { key: 'ignoreCase', type: 'flag', label: 'Letter case does not count' }],
    start: (_columns, _label, text) => ({ kind: 'dedupeExact', ...(text && { columns: [text] }) }),
  },
  {
    kind: 'dedupeNear',
    name: 'Drop near-duplicates',
    about: 'Of rows that say almost the same, one stays.',
    group: 'Rows',
    fields: [
      columns,
      {
        key: 'threshold',
        type: 'number',
        label: 'Similarity',
        help: 'Jaccard similarity of groups of words: 1 is the same words, 0.8 about one word in fifteen changed.',
        min: 0.5,
        max: 1,
        step: 0.05,
        placeholder: '0.8',
      },
      {
        key: 'shingle',
        type: 'number',
        label: 'Words in a group',
        help: 'Fewer find texts whose words stand in another order; more only those with long stretches in common.',
        min: 1,
        max: 20,
        step: 1,
        placeholder: '3',
      },
      keep,
    ],
    start: (_columns, _label, text) => ({
      kind: 'dedupeNear',
      threshold: 0.8,
      ...(text && { columns: [text] }),
    }),
  },
  {
    kind: 'filter',
    name: 'Keep rows by a condition',
    about: 'Such as length(text) > 20 and label != "other".',
    group: 'Rows',
    fields: [
      {
        key: 'where',
        type: 'expression',
        label: 'Keep rows where',
        help: 'Columns by name, or [in brackets]; texts in quotes; and, or, not, contains, startsWith, matches, length(), lower(), isEmpty().',
      },
    ],
    start: ([first = ''], _label, text) => ({
      kind: 'filter',
      where: `not isEmpty([${(text ?? first).replaceAll(']', ']]')}])`,
    }),
  },
  {
    kind: 'dropRows',
    name: 'Drop rows by number',
    about: 'Rows that you, or a report, picked.',
    group: 'Rows',
    fields: [
      {
        key: 'rows',
        type: 'rows',
        label: 'Row numbers',
        help: 'As in the imported file, from 1, with commas between.',
      },
    ],
    start: () => ({ kind: 'dropRows', rows: [] }),
  },
  {
    kind: 'resolveConflicts',
    name: 'Resolve label conflicts',
    about: 'The same text with different labels gets one, or goes.',
    group: 'Labels',
    fields: [
      { key: 'columns', type: 'columns', label: 'Same text in' },
      { key: 'label', type: 'column', label: 'Label' },
      {
        key: 'how',
        type: 'choice',
        label: 'Then',
        options: [
          { value: 'majority', label: 'Use the most frequent label' },
          { value: 'first', label: 'Use the first label' },
          { value: 'drop', label: 'Drop all of them' },
        ],
      },
    ],
    start: ([first = '', second = first], label, text) => ({
      kind: 'resolveConflicts',
      columns: [text ?? first],
      label: label ?? second,
      how: 'majority',
    }),
  },
  {
    kind: 'mapLabels',
    name: 'Rename or merge labels',
    about: 'Two labels with the same new name become one.',
    group: 'Labels',
    fields: [
      { key: 'column', type: 'column', label: 'Column' },
      { key: 'map', type: 'pairs', label: 'Old name = new name', help: 'One a line.' },
      {
        key: 'others',
        type: 'choice',
        label: 'Values that are not named',
        options: [
          { value: 'keep', label: 'Stay' },
          { value: 'drop', label: 'Their rows go' },
        ],
        when: (step) => typeof step.others !== 'object',
      },
    ],
    start: ([first = ''], label) => ({ kind: 'mapLabels', column: label ?? first, map: [] }),
  },
  {
    kind: 'derive',
    name: 'Make a column',
    about: 'From a template over the others, such as {title}: {text}.',
    group: 'Columns',
    fields: [
      {
        key: 'column',
        type: 'newColumn',
        label: 'Column',
        help: 'A new name, or a column whose cells are replaced.',
      },
      {
        key: 'template',
        type: 'template',
        label: 'Template',
        help: 'Columns and expressions stand in braces: {title}, {lower(text)}. Two braces {{ are one brace.',
      },
    ],
    start: ([first = '']) => ({
      kind: 'derive',
      column: 'new column',
      template: `{[${first.replaceAll(']', ']]')}]}`,
    }),
  },
  {
    kind: 'columns',
    name: 'Choose columns',
    about: 'Keeps only some columns, in this order, or leaves some out.',
    group: 'Columns',
    fields: [
      {
        key: 'how',
        type: 'choice',
        label: 'These columns',
        options: [
          { value: 'drop', label: 'Leave' },
          { value: 'keep', label: 'Are the only ones that stay' },
        ],
      },
      { key: 'columns', type: 'columns', label: 'Columns' },
    ],
    start: (all) => ({ kind: 'columns', how: 'drop', columns: all.slice(-1) }),
  },
  {
    kind: 'rebalance',
    name: 'Balance labels',
    about: 'Repeats training rows of rare labels, or leaves out some of frequent ones.',
    group: 'Training rows',
    fields: [
      { key: 'column', type: 'column', label: 'Label' },
      {
        key: 'method',
        type: 'choice',
        label: 'How',
        options: [
          { value: 'over', label: 'Repeat rare ones' },
          { value: 'under', label: 'Leave out frequent ones' },
        ],
      },
      {
        key: 'to',
        type: 'number',
        label: 'Rows of each',
        help: 'Empty: as many as the most frequent label has (or the rarest, when leaving out). With shares: rows in all.',
        min: 1,
        max: 10_000_000,
        step: 1,
      },
      {
        key: 'most',
        type: 'number',
        label: 'Copies of a row, at most',
        min: 1,
        max: 1000,
        step: 1,
        placeholder: '10',
        when: (step) => step.method === 'over',
      },
      {
        key: 'shares',
        type: 'shares',
        label: 'Label = share',
        help: 'One a line, such as refund = 30. Empty: all labels alike. Labels that are not named stay as they are.',
      },
    ],
    start: ([first = ''], label) => ({ kind: 'rebalance', column: label ?? first, method: 'over' }),
  },
  {
    kind: 'weigh',
    name: 'Weigh labels',
    about: 'Rows of rare labels count more in the loss. No row is repeated or left out.',
    group: 'Training rows',
    fields: [
      { key: 'column', type: 'column', label: 'Column' },
      {
        key: 'by',
        type: 'choice',
        label: 'Weight of a row',
        help: 'A row of weight 2 teaches as much as the same row twice. Weights are worked out on the rows that come out of all other steps.',
        options: [
          { value: 'balanced', label: 'So that each label counts the same' },
          { value: 'value', label: 'By label, as listed' },
          { value: 'number', label: 'The number in the column' },
        ],
      },
      {
        key: 'weights',
        type: 'weights',
        label: 'Weights',
        help: 'One label a line, such as: refund = 3. Labels that are not listed weigh 1.',
        when: (step) => step.by === 'value',
      },
    ],
    start: ([first = ''], label) => ({ kind: 'weigh', column: label ?? first, by: 'balanced' }),
  },
  {
    kind: 'augment',
    name: 'Add varied copies',
    about: 'Changed copies of training rows, marked as synthetic. Switch the step off and they are gone.',
    group: 'Training rows',
    fields: [
      {
        key: 'method',
        type: 'choice',
        label: 'Vary by',
        options: AUGMENTATIONS.map((method) => ({ value: method, label: METHOD_WORDS[method] })),
      },
      { key: 'column', type: 'column', label: 'Text' },
      {
        key: 'copies',
        type: 'number',
        label: 'Copies of each row',
        min: 1,
        max: 20,
        step: 1,
        placeholder: '1',
      },
      {
        key: 'strength',
        type: 'number',
        label: 'Strength',
        help: 'Share of the words that change.',
        min: 0.01,
        max: 0.5,
        step: 0.01,
        placeholder: '0.1',
        when: (step) => step.method !== 'paraphrase',
      },
      {
        key: 'templates',
        type: 'lines',
        label: 'Templates',
        help: 'One a line, with {text} where the text goes. Empty: polite wrappings in English.',
        when: (step) => step.method === 'paraphrase',
      },
      {
        key: 'where',
        type: 'expression',
        label: 'Only rows where',
        help: 'Such as label = "rare". Empty: all training rows.',
      },
    ],
    start: ([first = ''], _label, text) => ({
      kind: 'augment',
      method: 'synonym',
      column: text ?? first,
      copies: 1,
    }),
  },
]

/** The words of a step; those that are not made by a form (edits, added rows) have none. */
export function wordsOf(kind: StepKind): StepWords | undefined {
  return STEPS.find((step) => step.kind === kind)
}

/** The step without settings that say nothing. */
export function tidy(step: Record<string, unknown>): RecipeStep {
  const said = Object.entries(step).filter(
    ([, value]) =>
      value !== '' &&
      value !== undefined &&
      value !== null &&
      value !== false &&
      !(Array.isArray(value) && value.length === 0),
  )
  // A step that is switched off says so, and rows and names may be an empty list while they are typed.
  const kept = ['rows', 'map', 'edits']
    .filter((key) => Array.isArray(step[key]))
    .map((key) => [key, step[key]] as const)
  return {
    ...Object.fromEntries(said),
    ...Object.fromEntries(kept),
    ...(step.enabled === false && { enabled: false }),
  } as unknown as RecipeStep
}

// The tabs of Explain. A new one is a component that takes the question, or the target alone, and a line here.
import type { Component } from 'svelte'
import type { Question } from '../../state/explaining.svelte.ts'
import type { Asked } from '../parts/target.ts'
import AttentionTab from './AttentionTab.svelte'
import DatasetTab from './DatasetTab.svelte'
import FilmTab from './FilmTab.svelte'
import InfluencePanel from './training/InfluencePanel.svelte'
import LayersOfRows from './LayersOfRows.svelte'
import LayersTab from './LayersTab.svelte'
import OverviewTab from './OverviewTab.svelte'
import TrainingRowsTab from './TrainingRowsTab.svelte'
import WhatIfTab from './WhatIfTab.svelte'
import WordsTab from './WordsTab.svelte'

export interface TabProps {
  question: Question
}
/** Of a tab that explains the target over many rows: it waits for no text. */
export interface TargetTabProps {
  asked: Asked
}

export interface ExplainTab {
  value: string
  label: string
  /** Shown once a question has been asked. */
  ofQuestion?: Component<TabProps>
  /** Shown at once, below what belongs to the question. */
  ofTarget?: Component<TargetTabProps>
}

export const TABS: [ExplainTab, ...ExplainTab[]] = [
  { value: 'overview', label: 'Overview', ofQuestion: OverviewTab },
  { value: 'words', label: 'Words', ofQuestion: WordsTab },
  { value: 'attention', label: 'Attention', ofQuestion: AttentionTab },
  { value: 'layers', label: 'Layers', ofQuestion: LayersTab, ofTarget: LayersOfRows },
  { value: 'what-if', label: 'What if', ofQuestion: WhatIfTab },
  { value: 'dataset', label: 'Dataset', ofTarget: DatasetTab },
  { value: 'rows', label: 'Training rows', ofTarget: TrainingRowsTab, ofQuestion: InfluencePanel },
  { value: 'film', label: 'Training film', ofTarget: FilmTab },
]

// The tabs of Explain. A new one is a component that takes the question, and a line here.
import type { Component } from 'svelte'
import type { Question } from '../../state/explaining.svelte.ts'
import type { Asked } from '../parts/target.ts'
import LayersTab from './LayersTab.svelte'
import OverviewTab from './OverviewTab.svelte'
import WordsTab from './WordsTab.svelte'

export interface TabProps {
  /** What the target is now; a question has its own. */
  asked: Asked
  question: Question
}

export interface ExplainTab {
  value: string
  label: string
  component: Component<TabProps>
}

export const TABS: [ExplainTab, ...ExplainTab[]] = [
  { value: 'overview', label: 'Overview', component: OverviewTab },
  { value: 'words', label: 'Words', component: WordsTab },
  { value: 'layers', label: 'Layers', component: LayersTab },
]

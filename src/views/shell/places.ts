// The seven places of the rail, in the order of the work.
import Activity from '@lucide/svelte/icons/activity'
import Box from '@lucide/svelte/icons/box'
import Database from '@lucide/svelte/icons/database'
import MessageSquareText from '@lucide/svelte/icons/message-square-text'
import Package from '@lucide/svelte/icons/package'
import ScanEye from '@lucide/svelte/icons/scan-eye'
import Target from '@lucide/svelte/icons/target'
import type { Component } from 'svelte'
import type { ViewName } from '../../state/router.svelte.ts'

export interface Place {
  view: ViewName
  name: string
  icon: Component<{ size?: number | string }>
  /** Key pressed after g: "g d" opens Data. */
  key: string
}

export const PLACES: Place[] = [
  { view: 'data', name: 'Data', icon: Database, key: 'd' },
  { view: 'model', name: 'Model', icon: Box, key: 'm' },
  { view: 'train', name: 'Train', icon: Activity, key: 't' },
  { view: 'evaluate', name: 'Evaluate', icon: Target, key: 'v' },
  { view: 'explain', name: 'Explain', icon: ScanEye, key: 'x' },
  { view: 'generate', name: 'Generate', icon: MessageSquareText, key: 'g' },
  { view: 'export', name: 'Export', icon: Package, key: 'e' },
]

// The sample datasets of public/samples: a first run needs no file of one's own.
import type { Task } from '../protocol/data.ts'

export interface Sample {
  id: 'support' | 'instructions' | 'products'
  file: string
  title: string
  task: Task
  /** What a model learns from it, in one sentence. */
  about: string
}

export const SAMPLES: Sample[] = [
  {
    id: 'support',
    file: 'support.csv',
    title: 'Support messages',
    task: 'classify',
    about: 'Short messages with one of six intents. The model learns to name the intent.',
  },
  {
    id: 'instructions',
    file: 'instructions.csv',
    title: 'Questions and answers',
    task: 'instruct',
    about: 'A request and the answer to it. The model learns to answer in the same way.',
  },
  {
    id: 'products',
    file: 'products.csv',
    title: 'Product facts to descriptions',
    task: 'complete',
    about: 'A few facts and the text they became. The model learns to continue from facts.',
  },
]

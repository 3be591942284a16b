// Which rows a tab over many rows is about: dataset, part and how many; tabs share it through the address.
import { SPLIT_NAMES, type Dataset, type SplitName } from '../../protocol/data.ts'

export const PARTS: Record<SplitName, string> = { train: 'Training', validation: 'Validation', test: 'Test' }

export class RowsChoice {
  picked = $state<string | null>(null)
  split = $state<SplitName>('train')
  rows = $state<number | undefined>()

  /** `held`: what the address says. */
  constructor({ data, part, rows }: Readonly<Record<string, string>>) {
    this.picked = data ?? null
    this.split = SPLIT_NAMES.find((name) => name === part) ?? 'train'
    const count = Number(rows)
    if (rows && Number.isInteger(count) && count > 0) this.rows = count
  }

  /** The dataset that is meant: the one picked, else the run's own, else the first. */
  of(datasets: Dataset[], own: string | undefined): Dataset | undefined {
    return (
      datasets.find(({ id }) => id === this.picked) ?? datasets.find(({ id }) => id === own) ?? datasets[0]
    )
  }

  /** For the address; what is as it begins is left out. */
  get held(): Record<string, string> {
    return {
      data: this.picked ?? '',
      part: this.split === 'train' ? '' : this.split,
      rows: this.rows === undefined ? '' : String(this.rows),
    }
  }
}

// PyTorch beside Graft: torch_lora.py takes its steps when it is asked to, so that the two can take turns.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from '../tools/install.mjs'
import { SHAPES, type ShapeName } from './shapes.ts'

export interface TorchAbout {
  torch: string
  device: string
}

export interface TorchStep {
  about: TorchAbout
  /** Takes some steps; seconds of each. */
  steps(count: number): Promise<{ seconds: number[]; losses: number[] }>
  close(): void
}

/** Throws where Python, PyTorch or peft is not there. */
export async function openTorch(
  python: string,
  shape: ShapeName,
  tokens: number,
  device?: 'cpu' | 'cuda',
): Promise<TorchStep> {
  const { config, rowTokens } = SHAPES[shape]
  const length = Math.min(rowTokens, tokens)
  const child = spawn(
    python,
    [
      join(root, 'bench/torch_lora.py'),
      ...['--config', JSON.stringify(config)],
      ...['--rows', String(Math.round(tokens / length))],
      ...['--length', String(length)],
      ...['--threads', '2'],
      ...(device ? ['--device', device] : []),
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4000)))
  // A process that could not start, or has ended, cannot be written to; `exit` and `error` tell.
  child.stdin.on('error', () => undefined)
  const lines = createInterface({ input: child.stdout })
  const next = () =>
    new Promise<string>((resolve, reject) => {
      const ended = () => reject(new Error(errors.trim().split('\n').at(-1) || `${python} ended`))
      const missing = (error: Error) => reject(error)
      child.once('close', ended)
      child.once('error', missing)
      lines.once('line', (line) => {
        child.off('close', ended)
        child.off('error', missing)
        resolve(line)
      })
    })
  const about = JSON.parse(await next()) as TorchAbout
  return {
    about,
    async steps(count) {
      const answer = next()
      child.stdin.write(`${count}\n`)
      return JSON.parse(await answer) as { seconds: number[]; losses: number[] }
    },
    close() {
      child.stdin.end()
    },
  }
}

// The tables of a run, for the terminal and for docs/performance.md.
import { PRECISIONS } from '../src/protocol/model.ts'
import type { BenchResults, Beside, StepResult } from './results.ts'
import { SHAPES } from './shapes.ts'
import { median } from './statistics.ts'
import { bytes, flopRate, NOT_MEASURED, number, percent, table } from './table.ts'
import { targetRows } from './targets.ts'

type Gpu = NonNullable<BenchResults['gpu']>

export function report(results: BenchResults): string {
  const { gpu, wasm } = results
  return [
    '## Targets\n\n' + targets(results),
    ...(gpu
      ? [
          `## WebGPU\n\n${aboutGpu(gpu)}\n\n${stepTable(gpu)}\n\n${flatness(gpu)}`,
          `### Kernels\n\n${settings(gpu)}`,
          `### Decoding\n\n${decodeTable(gpu)}`,
          `### Beside others\n\n${othersTable(gpu)}\n\n${agreement(gpu)}`,
        ]
      : []),
    `## WASM\n\n${'failed' in wasm ? `Not measured: ${wasm.failed}.` : besideTable(wasm)}`,
  ].join('\n\n')
}

function targets(results: BenchResults): string {
  const verdict = { true: 'reached', false: 'missed', null: NOT_MEASURED }
  return table(
    ['figure', 'target', 'measured', '', 'remark'],
    targetRows(results).map(({ figure, target, measured, reached, remark }) => [
      figure,
      target,
      measured,
      verdict[`${reached}`],
      remark,
    ]),
    [0, 3, 4],
  )
}

function aboutGpu({ date, place, adapter, dry, ceiling }: Gpu): string {
  const speed = dry
    ? 'It is made of software, so speeds are not measured: dispatches were counted and not executed, which leaves counts, bytes and memory as they are.'
    : `Ceiling of this run: ${flopRate(ceiling!.matmulFlops)} (${ceiling!.matmul}); a copy moves ${bytes(ceiling!.copyBytesPerSecond)} a second.`
  return `${place}, adapter ${adapter.description}, ${date.slice(0, 10)}. ${speed} LoRA r 16 on all linear layers; rows of 256 tokens. Uploaded and read: bytes a step.`
}

function stepTable({ steps, ceiling }: Gpu): string {
  const order = (each: Gpu['steps'][number]) => PRECISIONS.indexOf(each.precision)
  const shapes = [...new Set(steps.map(({ shape }) => shape))]
  const rows = shapes.flatMap((shape) =>
    steps
      .filter((each) => each.shape === shape)
      .sort((a, b) => order(a) - order(b))
      .map((each) => {
        const title = SHAPES[shape].title
        if ('failed' in each) return [title, each.precision, `failed: ${each.failed}`]
        return [title, each.precision, ...stepCells(each, ceiling?.matmulFlops ?? null)]
      }),
  )
  return table(
    [
      'model',
      'base',
      'tokens',
      'tokens/s',
      'of ceiling',
      'JS ms a step: replayed',
      'computed',
      'dispatches',
      'block: forward + recompute + backward',
      'outside',
      'submits',
      'readbacks',
      'uploaded',
      'read',
      'peak',
      'estimate',
    ],
    rows,
    [0, 1],
  )
}

function stepCells({ figures }: StepResult, ceiling: number | null): string[] {
  const { tokens, secondsPerStep, flops, counts, blocks, outside, hostSeconds, peakBytes, estimateBytes } =
    figures
  return [
    number(tokens),
    number(secondsPerStep && tokens / secondsPerStep),
    percent(secondsPerStep && ceiling ? flops / secondsPerStep / ceiling : null),
    number(hostSeconds.replayed && 1000 * hostSeconds.replayed),
    number(1000 * hostSeconds.computed),
    number(counts.dispatches),
    blocks ? [blocks.forward, blocks.recompute, blocks.backward].map(number).join(' + ') : NOT_MEASURED,
    number(outside),
    number(counts.submits),
    number(counts.readbacks),
    bytes(counts.uploadedBytes),
    bytes(counts.readBytes),
    bytes(peakBytes),
    bytes(estimateBytes),
  ]
}

/** Which settings of the kernels the adapter took (docs/architecture.md), and how long each took. */
function settings({ adapter, dry, tuning = [] }: Gpu): string {
  if (tuning.length === 0) {
    const why = adapter.software
      ? 'on an adapter made of software kernels are not timed'
      : dry
        ? 'nothing was executed'
        : 'no kernel was timed'
    return `The default settings were taken: ${why}.`
  }
  const rows = tuning.map(({ shape, precision, key, setting, times }) => [
    SHAPES[shape].title,
    precision,
    key,
    setting,
    Object.entries(times)
      .map(([name, ms]) => `${name} ${ms === null ? 'refused' : ms.toFixed(3)}`)
      .join(', '),
  ])
  return `Each class of shapes was tried out once, in the process of its base.\n\n${table(
    ['model', 'base', 'class', 'taken', 'ms of each'],
    rows,
    [0, 1, 2, 3, 4],
  )}`
}

function decodeTable({ decode, ceiling }: Gpu): string {
  return table(
    [
      'model',
      'base',
      'tokens/s',
      'of bandwidth',
      'dispatches',
      'submits',
      'bind groups',
      'readbacks',
      'read',
      'written',
      'bytes a token needs',
    ],
    decode.map((each) => {
      const title = SHAPES[each.shape].title
      if ('failed' in each) return [title, each.precision, `failed: ${each.failed}`]
      const { secondsPerToken, bytesPerToken, counts } = each.figures
      const rate = secondsPerToken && 1 / secondsPerToken
      return [
        title,
        each.precision,
        number(rate),
        percent(rate && ceiling ? (rate * bytesPerToken) / ceiling.copyBytesPerSecond : null),
        number(counts.dispatches),
        number(counts.submits),
        number(counts.bindGroups),
        number(counts.readbacks),
        bytes(counts.readBytes),
        bytes(counts.uploadedBytes),
        bytes(bytesPerToken),
      ]
    }),
    [0, 1],
  )
}

function othersTable({ stock, nanogpt, torch, steps }: Gpu): string {
  const cells = (seconds: number | null, tokens: number, dispatches: number | null, peak: number | null) => [
    number(seconds && tokens / seconds),
    dispatches === null ? '' : number(dispatches),
    peak === null ? '' : bytes(peak),
  ]
  const rows: string[][] = []
  for (const each of stock) {
    const what = `LoRA step, ${SHAPES[each.shape].title}, f32`
    if ('failed' in each) {
      rows.push([what, 'stock tfjs', `failed: ${each.failed}`])
      continue
    }
    const { tokens, secondsPerStep, counts, peakBytes } = each.figures
    const ours = steps.find(
      (step): step is StepResult =>
        'figures' in step &&
        step.shape === each.shape &&
        step.precision === 'f32' &&
        step.figures.tokens === tokens,
    )?.figures
    const title = `${what}, ${number(tokens)} tokens`
    rows.push([title, 'stock tfjs', ...cells(secondsPerStep, tokens, counts.dispatches, peakBytes)])
    if (ours)
      rows.push([
        title,
        'Graft',
        ...cells(ours.secondsPerStep, tokens, ours.counts.dispatches, ours.peakBytes),
      ])
  }
  for (const each of nanogpt) {
    const what = `${each.method === 'full' ? 'all weights' : 'LoRA r 16'}, nanogpt's default size, 4,096 tokens`
    if ('failed' in each) {
      rows.push([what, '@genai-fi/nanogpt', `failed: ${each.failed}`])
      continue
    }
    const { peer, graft } = each
    rows.push([
      what,
      '@genai-fi/nanogpt',
      ...cells(peer.secondsPerStep, peer.tokens, peer.counts.dispatches, peer.peakBytes),
    ])
    rows.push([
      what,
      'Graft',
      ...cells(graft.secondsPerStep, graft.tokens, graft.counts.dispatches, graft.peakBytes),
    ])
  }
  if ('failed' in torch) rows.push(['LoRA step, PyTorch + peft', 'PyTorch', NOT_MEASURED])
  else {
    const what = `LoRA step, ${SHAPES[torch.shape].title}, f32, ${number(torch.tokens)} tokens`
    rows.push([
      what,
      `PyTorch ${torch.torch.version}`,
      ...cells(median(torch.torch.seconds), torch.tokens, null, null),
    ])
  }
  return table(['work', 'by', 'tokens/s', 'dispatches', 'peak'], rows, [0, 1])
}

function flatness({ flat }: Gpu): string {
  if ('failed' in flat) return `Memory over many steps was not measured: ${flat.failed}.`
  const { steps, pass, bytes: held, tensors } = flat
  return `Graft-7M, ${number(steps)} steps over rows of 5 to 249 tokens, counted: after the second pass of ${pass} steps ${bytes(held.first)} and ${number(tensors.first)} tensors, later at most ${bytes(held.later)} and ${number(tensors.later)}.`
}

function agreement({ agreement: found }: Gpu): string {
  if ('failed' in found) return `Losses of Graft and stock tfjs were not compared: ${found.failed}.`
  const off = Math.max(...found.stock.map((loss, i) => Math.abs(loss - found.graft[i]!)))
  return `The stock step is the same step: over ${found.stock.length} executed steps of a tiny model its losses differ from Graft's by at most ${off.toExponential(0)}.`
}

function besideTable({ date, otherWork, shape, tokens, graft, alone, torch }: Beside): string {
  const row = (by: string, seconds: readonly number[]) => [
    by,
    number(tokens / median(seconds)),
    median(seconds).toFixed(3),
    Math.min(...seconds).toFixed(3),
    Math.max(...seconds).toFixed(3),
    String(seconds.length),
  ]
  return `${SHAPES[shape].title}, ${number(tokens)} tokens a step, LoRA r 16 on all linear layers, float32; ${date.slice(0, 10)}, both programs took turns, round by round. Processors busy with other work, median between the rounds: ${median(otherWork).toFixed(2)}.\n\n${table(
    ['by', 'tokens/s', 'median s', 'min s', 'max s', 'steps'],
    [
      row(`Graft, Chromium (${graft.adapter})`, graft.seconds),
      ...(alone ? [row(`Graft, Chromium (${alone.adapter})`, alone.seconds)] : []),
      row(`PyTorch ${torch.version} + peft (${torch.device})`, torch.seconds),
    ],
  )}`
}

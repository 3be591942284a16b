// Smooth steps, alone and gating: one thread an element. The formulas are those of reference/activation.ts.
// WGSL has no erf, and its tanh may be 1e-5 off, so both are written out: the rational forms of Cephes' float32 library
// (Moshier, netlib.org/cephes: ndtrf.c, tanhf.c), within 2e-7 of the truth, the tails with all their digits.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { Activation } from '../ops.ts'
import { ELEMENT, i32, LINE, lines, run, runAll, type Kernel, type Uniform } from './runner.ts'

/** sigmoid, written so that exp never overflows. */
const SIGMOID = `
  fn sigmoid(x : f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
  }
`

const TANH = `
  fn tanhOf(x : f32) -> f32 {
    let size = abs(x);
    if (size < 0.625) {
      let z = x * x;
      return x + x * z * ${polynomial(
        'z',
        [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
      )};
    }
    let e = exp(-2.0 * size);
    return sign(x) * (1.0 - e) / (1.0 + e);
  }
`

/** Phi(x): by erf where |x| < sqrt 2, by erfc beyond. */
const NORMAL_CDF = `
  fn normalCdf(x : f32) -> f32 {
    let v = abs(x) * ${Math.SQRT1_2};
    if (v < 1.0) {
      let z = v * v;
      return 0.5 + 0.5 * sign(x) * v * ${polynomial(
        'z',
        [
          7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3, -2.685381193529856e-2,
          1.128358514861418e-1, -3.7612625824233e-1, 1.12837916672671,
        ],
      )};
    }
    let q = 1.0 / v;
    let y = q * q;
    let near = ${polynomial(
      'y',
      [
        2.326819970068386e-2, -1.387039388740657e-1, 3.687424674597105e-1, -5.824733027278666e-1,
        6.210004621745983e-1, -4.944515323274145e-1, 3.404879937665872e-1, -2.741127028184656e-1,
        5.638259427386472e-1,
      ],
    )};
    let far = ${polynomial(
      'y',
      [
        -1.047766399936249e1, 1.297719955372516e1, -7.495518717768503, 2.921019019210786, -1.0152652792027,
        4.218463358204948e-1, -2.820767439740514e-1, 5.641895067754075e-1,
      ],
    )};
    let tail = 0.5 * exp(-0.5 * x * x) * q * select(far, near, v < 2.0);
    return select(tail, 1.0 - tail, x > 0.0);
  }
`

/** (1 + tanh u) / 2 = sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3), and 2 u'. */
const TANH_CDF = `${SIGMOID}
  const factor = ${2 * Math.sqrt(2 / Math.PI)};
  const cube = 0.044715;
  fn tanhCdf(x : f32) -> f32 { return sigmoid(factor * x * (1.0 + cube * x * x)); }
  fn steepness(x : f32) -> f32 { return factor * (1.0 + 3.0 * cube * x * x); }
`

interface Code {
  /** Functions that the expressions call. */
  functions: string
  /** act(x) and act'(x). */
  value: string
  slope: string
}

const CODES: Record<Activation, Code> = {
  silu: {
    functions: SIGMOID,
    value: 'x * sigmoid(x)',
    slope: 'sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x)))',
  },
  gelu: {
    functions: NORMAL_CDF,
    value: 'x * normalCdf(x)',
    slope: `normalCdf(x) + x * exp(-0.5 * x * x) * ${1 / Math.sqrt(2 * Math.PI)}`,
  },
  geluTanh: {
    functions: TANH_CDF,
    value: 'x * tanhCdf(x)',
    slope: 'tanhCdf(x) + x * tanhCdf(x) * (1.0 - tanhCdf(x)) * steepness(x)',
  },
  // As select, which keeps NaN.
  relu: { functions: '', value: 'select(x, 0.0, x < 0.0)', slope: 'select(0.0, 1.0, x > 0.0)' },
  tanh: { functions: TANH, value: 'tanhOf(x)', slope: '1.0 - tanhOf(x) * tanhOf(x)' },
}

/** `fn value(x : f32) -> f32`, the activation, for kernels of other files. */
export function activationCode(act: Activation): string {
  const { functions, value } = CODES[act]
  return `${functions}
  fn value(x : f32) -> f32 { return ${value}; }`
}

/** Horner's scheme, highest power first. */
function polynomial(variable: string, coefficients: number[]): string {
  const [highest, ...rest] = coefficients.map((c) => c.toExponential()) as [string, ...string[]]
  return rest.reduce((inner, coefficient) => `fma(${inner}, ${variable}, ${coefficient})`, highest)
}

export function activation(act: Activation, x: Tensor): Tensor {
  return elementwise('activation', act, { x }, 'value(x[at])')
}

export function activationBackward(act: Activation, dy: Tensor, x: Tensor): Tensor {
  return elementwise('activationBackward', act, { dy, x }, 'dy[at] * slope(x[at])')
}

export function gated(act: Activation, gate: Tensor, up: Tensor): Tensor {
  return elementwise('gated', act, { gate, up }, 'value(gate[at]) * up[at]')
}

export function gatedBackward(
  act: Activation,
  dh: Tensor,
  gate: Tensor,
  up: Tensor,
): { dGate: Tensor; dUp: Tensor } {
  const kernel = elementKernel(
    'gatedBackward',
    act,
    { dh, gate, up },
    dh.size,
    `dGate[at] = dh[at] * up[at] * slope(gate[at]);
    dUp[at] = dh[at] * value(gate[at]);`,
  )
  return runAll(kernel, { dGate: gate.shape, dUp: up.shape })
}

/** joint [N, 2 f], gate and up side by side -> [N, f] */
export function gatedJoint(act: Activation, joint: Tensor): Tensor {
  const [rows, both] = joint.shape as [number, number]
  const kernel = elementKernel(
    'gatedJoint',
    act,
    { joint },
    joint.size / 2,
    `let gate = at + at / uniforms.width * uniforms.width;
    result[at] = value(joint[gate]) * joint[gate + uniforms.width];`,
    { width: i32(both / 2) },
  )
  return run(kernel, [rows, both / 2])
}

/** dh [N, f] -> [N, 2 f] */
export function gatedJointBackward(act: Activation, dh: Tensor, joint: Tensor): Tensor {
  const kernel = elementKernel(
    'gatedJointBackward',
    act,
    { dh, joint },
    dh.size,
    `let gate = at + at / uniforms.width * uniforms.width;
    let up = gate + uniforms.width;
    result[gate] = dh[at] * joint[up] * slope(joint[gate]);
    result[up] = dh[at] * value(joint[gate]);`,
    { width: i32(joint.shape[1]! / 2) },
  )
  return run(kernel, joint.shape)
}

function elementwise(
  name: string,
  act: Activation,
  inputs: Record<string, Tensor>,
  expression: string,
): Tensor {
  const [like] = Object.values(inputs) as [Tensor]
  return run(elementKernel(name, act, inputs, like.size, `result[at] = ${expression};`), like.shape)
}

/** One thread for each of `count` elements. */
function elementKernel(
  name: string,
  act: Activation,
  inputs: Record<string, Tensor>,
  count: number,
  body: string,
  uniforms: Record<string, Uniform> = {},
): Kernel {
  const { functions, value, slope } = CODES[act]
  return {
    name,
    variant: act,
    inputs,
    uniforms: { count: i32(count), ...uniforms },
    workgroup: [LINE, 1, 1],
    groups: lines(count),
    code: `${functions}
  fn value(x : f32) -> f32 { return ${value}; }
  fn slope(x : f32) -> f32 { return ${slope}; }
  fn main() {
    ${ELEMENT}
    ${body}
  }`,
  }
}

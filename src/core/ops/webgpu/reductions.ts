// Sums and maxima over the threads of a workgroup; every thread gets the result, and a barrier lies behind it. In two ways:
// by halves through shared memory, which every device can, or by subgroups, which takes two barriers in place of eight.
// Both add in a fixed order.

/** Lower than every number that a maximum is asked of. */
const LOWEST = '-3.0e38'

interface Reduction {
  name: string
  /** Of two expressions. */
  join(a: string, b: string): string
  subgroup: string
  neutral: string
}

const SUM: Reduction = {
  name: 'sumOfThreads',
  join: (a, b) => `${a} + ${b}`,
  subgroup: 'subgroupAdd',
  neutral: '0.0',
}
const MAX: Reduction = {
  name: 'maxOfThreads',
  join: (a, b) => `max(${a}, ${b})`,
  subgroup: 'subgroupMax',
  neutral: LOWEST,
}

/** `sumOfThreads(value)` and, if asked for, `maxOfThreads(value)` of f32, for workgroups of so many threads: a power of two. */
export function reductions(threads: number, subgroups: boolean, maximum = false): string {
  return `
  var<workgroup> lanes : array<f32, ${threads}>;
  ${[SUM, ...(maximum ? [MAX] : [])].map((each) => (subgroups ? bySubgroups : byHalves)(each, threads)).join('')}`
}

function byHalves({ name, join }: Reduction, threads: number): string {
  return `
  fn ${name}(value : f32) -> f32 {
    lanes[localIndex] = value;
    workgroupBarrier();
    for (var half = ${threads / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) { lanes[localIndex] = ${join('lanes[localIndex]', 'lanes[localIndex + half]')}; }
      workgroupBarrier();
    }
    let whole = lanes[0];
    workgroupBarrier();
    return whole;
  }`
}

/** Each subgroup leaves its part in the place of one of its threads; then each adds up all places. How threads are dealt to
 *  subgroups, and how large those are, is nowhere assumed. */
function bySubgroups({ name, join, subgroup, neutral }: Reduction, threads: number): string {
  return `
  fn ${name}(value : f32) -> f32 {
    let part = ${subgroup}(value);
    lanes[localIndex] = select(${neutral}, part, subgroupElect());
    workgroupBarrier();
    let members = subgroupAdd(1u);
    var whole = ${neutral};
    for (var i = subgroupExclusiveAdd(1u); i < ${threads}u; i += members) { whole = ${join('whole', 'lanes[i]')}; }
    whole = ${subgroup}(whole);
    workgroupBarrier();
    return whole;
  }`
}

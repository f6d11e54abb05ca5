/** @file Choosing the next token from logits. */

import { ValueError, takes } from '@ao/base-tensor'

const PACKAGE = '@ao/text-generation'

/** How tokens are chosen. */
export interface SamplingOptions {
  /**
   * Divides the logits: below 1 likely tokens become likelier. 0, the default, always takes the
   * likeliest token, the one with the lowest id among equals.
   */
  readonly temperature?: number
  /** Chooses among the `topK` likeliest tokens only; lower ids go first among equals. All unless given. */
  readonly topK?: number
  /**
   * Chooses among the fewest likeliest tokens whose probabilities, after `temperature` and `topK`, add
   * up to `topP`; one at least. All unless given.
   */
  readonly topP?: number
  /** Equal seeds and logits give equal tokens. 0 unless given. */
  readonly seed?: number
}

/** Chooses a token id from logits, one for each token of the vocabulary. */
export type Sampler = (logits: Float32Array) => number

/**
 * A sampler with a random state of its own.
 *
 * @throws {@link ValueError} for options out of range
 */
export function createSampler(options: SamplingOptions = {}): Sampler {
  takes('o{temperature topK topP seed}?', options)
  const { temperature = 0, topK = Infinity, topP = 1, seed = 0 } = options
  check(
    'temperature',
    temperature,
    temperature >= 0 && temperature < Infinity,
    'a number from 0 on',
  )
  check(
    'topK',
    topK,
    topK >= 1 && (topK === Infinity || Number.isInteger(topK)),
    'an integer from 1 on',
  )
  check('topP', topP, topP >= 0 && topP <= 1, 'a number from 0 to 1')
  check('seed', seed, Number.isSafeInteger(seed), 'an integer')
  if (temperature === 0) return argmax
  const random = mulberry32(seed)
  return (logits) => sample(logits, temperature, topK, topP, random())
}

/** The id of the largest logit; the lowest one among equals. */
export function argmax(logits: Float32Array): number {
  let best = 0
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number
    if (logit > (logits[best] as number)) best = id
    else if (logit !== logit) throw invalidLogits(`NaN for token ${id}`)
  }
  return best
}

/**
 * Random numbers in [0, 1), in steps of 2^-32: the public-domain generator mulberry32, whose 32-bit
 * integer arithmetic is the same in every engine.
 *
 * @param seed - its low 32 bits count
 */
export function mulberry32(seed: number): () => number {
  takes('n', seed)
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function sample(
  logits: Float32Array,
  temperature: number,
  topK: number,
  topP: number,
  random: number,
): number {
  const max = logits[argmax(logits)] as number
  if (!Number.isFinite(max)) throw invalidLogits(`a largest logit of ${max}`)
  const weights = new Float64Array(logits.length)
  for (let id = 0; id < weights.length; id++) {
    weights[id] = Math.exp(((logits[id] as number) - max) / temperature)
  }
  if (topK < weights.length || topP < 1) dropUnlikely(weights, topK, topP)
  return draw(weights, random)
}

// Sorting bare weights and finding their tokens again by the smallest one that is kept is several
// times faster than sorting token ids by weight.
function dropUnlikely(weights: Float64Array, topK: number, topP: number): void {
  const sorted = weights.slice().sort()
  const likeliest = sorted.subarray(Math.max(sorted.length - topK, 0))
  const count = topP < 1 ? nucleusSize(likeliest, topP) : likeliest.length
  const smallest = sorted[sorted.length - count] as number
  const larger = sorted.length - 1 - sorted.lastIndexOf(smallest)
  let equalsLeft = count - larger
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id] as number
    if (weight < smallest || (weight === smallest && equalsLeft-- <= 0)) weights[id] = 0
  }
}

/** How many of the largest `ascending` weights have at least the share `topP` of their sum. */
function nucleusSize(ascending: Float64Array, topP: number): number {
  const target = topP * sumOf(ascending)
  let sum = 0
  for (let i = ascending.length - 1; i >= 0; i--) {
    sum += ascending[i] as number
    if (sum >= target) return ascending.length - i
  }
  return ascending.length
}

/** The token at `random`, from 0 to 1, along the weights laid end to end. */
function draw(weights: Float64Array, random: number): number {
  let rest = random * sumOf(weights)
  let chosen = 0
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id] as number
    if (weight === 0) continue
    chosen = id // rounding may leave a rest behind the last weight: it goes to the last token
    rest -= weight
    if (rest < 0) break
  }
  return chosen
}

function sumOf(weights: Float64Array): number {
  let sum = 0
  for (let i = 0; i < weights.length; i++) sum += weights[i] as number
  return sum
}

function check(name: string, value: number, holds: boolean, expected: string): void {
  if (holds) return
  throw new ValueError({
    package: PACKAGE,
    expected: `${name} to be ${expected}`,
    got: String(value),
  })
}

/** What logits that nothing can be chosen from are refused with. */
export function invalidLogits(got: string): ValueError {
  return new ValueError({
    package: PACKAGE,
    expected: 'finite logits',
    got,
    cure: 'Look for weights that are too large for their dtype, or damaged.',
  })
}

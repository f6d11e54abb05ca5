/** @file Reference models: folders of transformers with what it computes. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readFloat32, type Tensor } from '@ao/base-tensor'
import { openSafetensors } from '@ao/safetensors'
import { directory, fileSource } from '@ao/safetensors/node'
import {
  allFamilies,
  AutoModelForCausalLM,
  type AutoModelOptions,
  type CausalLM,
} from '@ao/causal-lm'
import { sharedPath } from '@ao/test-data'

/** What a model computes of its ids. */
export interface Reference {
  readonly ids: readonly number[]
  /** `ids`, and what follows them greedily. */
  readonly greedy: readonly number[]
  /** (ids, vocabulary), row by row. */
  readonly logits: Float32Array
}

export const shared: string | undefined = sharedPath('reference')

export const loadModel = (
  path: string,
  options: Omit<AutoModelOptions, 'families'> = {},
): Promise<CausalLM> =>
  AutoModelForCausalLM.fromPretrained(directory(path), { families: allFamilies, ...options })

export async function readReference(path: string): Promise<Reference> {
  const io = JSON.parse(readFileSync(join(path, 'io.json'), 'utf8')) as Omit<Reference, 'logits'>
  const file = await openSafetensors(await fileSource(join(path, 'io.safetensors')))
  const logits = await readFloat32(await file.read('logits'))
  await file.close()
  return { ids: io.ids, greedy: io.greedy, logits }
}

/** `sum((out - reference)^2) / sum(reference^2)` */
export async function nmseOf(out: Tensor, reference: Float32Array): Promise<number> {
  const numbers = await readFloat32(out)
  let [error, size] = [0, 0]
  reference.forEach((x, i) => {
    error += (x - (numbers[i] as number)) ** 2
    size += x * x
  })
  return numbers.length === reference.length ? error / size : NaN
}

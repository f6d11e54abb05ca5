import { cast, skip, type Tensor } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import {
  memoryFolder,
  openCheckpoint,
  serializeSafetensors,
  transformCheckpoint,
  writeIndex,
  type Checkpoint,
  type TensorTransform,
} from '../src/index.ts'
import { bytesOf, counting } from './helpers.ts'

const copies = { 'head.weight': '1.weight' }

/** Two tensors in two files. */
async function sharded(): Promise<Checkpoint> {
  const folder = memoryFolder()
  for (const i of [0, 1]) {
    const tensor: [string, Tensor] = [`${i}.weight`, counting([6, 4], 'float32', i)]
    const file = serializeSafetensors([tensor], { format: 'pt' })
    const sink = await folder.create(`model-0000${i + 1}-of-00002.safetensors`, file.length)
    await sink.write(0, file)
    await sink.commit()
  }
  await writeIndex(folder)
  return openCheckpoint(folder)
}

describe('a copy under another name', () => {
  it.each([
    ['stays', 'float32', '1.weight'],
    ['is transformed', 'bfloat16', 'head.weight'],
  ])('%s by its own name, and lies in the file of its source', async (_, dtype, transformed) => {
    const checkpoint = await sharded()
    const folder = memoryFolder()
    const transform: TensorTransform = (name, tensor) =>
      name === transformed ? cast(tensor, 'bfloat16') : skip('it stays')
    const report = await transformCheckpoint(checkpoint, folder, transform, { copies })
    expect(report.transformed).toEqual([transformed])
    expect(report.kept.map(({ name }) => name)).toHaveLength(2)
    const made = await openCheckpoint(folder)
    expect(made.info('head.weight').parts[0]?.fileName).toBe('model-00002-of-00002.safetensors')
    const copy = await made.read('head.weight')
    expect(copy.dtype).toBe(dtype)
    const source = await checkpoint.read('1.weight')
    expect(bytesOf(copy)).toEqual(bytesOf(cast(source, copy.dtype)))
  })

  it('does not take the name of a tensor', async () => {
    const taken = { copies: { '0.weight': '1.weight' } }
    const run = transformCheckpoint(await sharded(), memoryFolder(), () => skip('it stays'), taken)
    await expect(run).rejects.toThrow(
      'Expected copies under names that the checkpoint does not have, got "0.weight"',
    )
  })
})

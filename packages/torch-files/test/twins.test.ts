import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isTensorSubclass } from '@ao/base-tensor'
import { Int4TilePackedTo4dTensor } from '@ao/int4-tile-packed-to-4d'
import { Int8Tensor } from '@ao/int8'
import { copyCheckpoint, memoryFolder, openCheckpoint, type Checkpoint } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'
import { goldenPath } from '@ao/test-data'
import { torchFiles } from '../src/index.ts'
import { messageOf } from './helpers.ts'

/** What the safetensors have that were saved of the same model. */
interface Twin {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: Readonly<Record<string, { dtype: string; shape: number[]; sha256: string }>>
}

const names = readdirSync(goldenPath('torch-files'))
const twinOf = (name: string): Twin =>
  JSON.parse(readFileSync(goldenPath(`torch-files/${name}/twin.json`), 'utf8')) as Twin
const open = (name: string): Promise<Checkpoint> =>
  openCheckpoint(directory(goldenPath(`torch-files/${name}`)), { fileKinds: [torchFiles] })

/** Dtype, shape and digest of every stored tensor. */
async function storedTensors(checkpoint: Checkpoint): Promise<Twin['tensors']> {
  const tensors: Record<string, Twin['tensors'][string]> = {}
  for (const file of checkpoint.files.values()) {
    for (const [key, { dtype, shape }] of file.tensors) {
      const sha256 = createHash('sha256')
        .update(await file.readBytes(key))
        .digest('hex')
      tensors[key] = { dtype, shape: [...shape], sha256 }
    }
  }
  return tensors
}

/** A tied head is stored once in safetensors, and described all the same. */
const withTied = ({ tensors, metadata }: Twin): Twin['tensors'] => {
  const head = tensors['model.embed_tokens.weight']
  const isTied = 'lm_head.weight' in metadata && head && !('lm_head._weight_qdata' in tensors)
  return isTied && !('lm_head.weight' in tensors) ? { ...tensors, 'lm_head.weight': head } : tensors
}

describe.each(names)('%s of PyTorch', (name) => {
  it('has the tensors of its safetensors twin, to the bit', async () => {
    const checkpoint = await open(name)
    expect(await storedTensors(checkpoint)).toEqual(withTied(twinOf(name)))
    await checkpoint.close()
  })

  it('has its metadata, text by text', async () => {
    const checkpoint = await open(name)
    const { format, ...metadata } = twinOf(name).metadata
    expect(format).toBe('pt')
    expect(Object.fromEntries(checkpoint.metadata)).toEqual(metadata)
    expect(checkpoint.names).toEqual(JSON.parse(metadata['tensor_names'] as string))
    await checkpoint.close()
  })

  it('is written as safetensors that have both, whether its classes are there or not', async () => {
    const checkpoint = await open(name)
    const out = memoryFolder()
    const { fileNames, transformed } = await copyCheckpoint(checkpoint, out, {
      metadata: { format: 'pt' },
    })
    expect([fileNames, transformed]).toEqual([['model.safetensors'], []])
    const written = await openCheckpoint(out)
    expect(await storedTensors(written)).toEqual(withTied(twinOf(name)))
    expect(Object.fromEntries(written.metadata)).toEqual(twinOf(name).metadata)
    await checkpoint.close()
  })

  it('is refused, as safetensors are, without the class of a tensor', async () => {
    const checkpoint = await open(name)
    const quantized = checkpoint.names.find(
      (key) => checkpoint.info(key).format !== 'Tensor',
    ) as string
    const { format } = checkpoint.info(quantized)
    expect(await messageOf(() => checkpoint.read(quantized))).toBe(
      `[@ao/safetensors] Expected the class of "${quantized}" among \`formats\` (none), got "${format}". ` +
        `Import ${format} from the @ao package that has it and add it to \`formats\`.`,
    )
    await checkpoint.close()
  })
})

it.each([
  ['llama-int8wo', Int8Tensor],
  ['phi3-int4-tile-hqq', Int4TilePackedTo4dTensor],
])('%s is built of the class that is passed', async (name, format) => {
  const checkpoint = await open(name)
  let built = 0
  for await (const [, tensor] of checkpoint.entries({ formats: [format] })) {
    if (isTensorSubclass(tensor)) built += Number(tensor instanceof format)
  }
  const quantized = checkpoint.names.filter((key) => checkpoint.info(key).format !== 'Tensor')
  expect([built, quantized.length > 0]).toEqual([quantized.length, true])
  await checkpoint.close()
})

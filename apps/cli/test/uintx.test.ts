import { join } from 'node:path'
import { readRawSafetensors } from '@ao/test-data'
import { expect, it } from 'vitest'
import { MODEL } from './checkpoints.ts'
import { aoJson, temporaryFolder } from './run-cli.ts'

it('ao quantize --config uintx makes a model that opens, inspects and runs', async () => {
  const out = join(temporaryFolder(), 'out')
  const include = ['--include', 're:model\\.layers\\.[01]\\.mlp\\..*']
  const options = ['--config', 'uintx', '--group-size', '64', ...include]
  const report = await aoJson(['quantize', MODEL, ...options, '--out', out])
  expect(report.quantized).toBe(6)
  const { tensors } = readRawSafetensors(join(out, 'model.safetensors'))
  const prefix = 'model.layers.0.mlp.up_proj._weight_'
  const parts = ['packed_weight', 'scale', 'zero_point'].map((name) => tensors.get(prefix + name))
  expect(parts.map((part) => [part?.dtype, part?.shape])).toEqual([
    ['I32', [32, 768]],
    ['F16', [4, 768]],
    ['F16', [4, 768]],
  ])
  const inspected = await aoJson(['inspect', out])
  const weight = inspected.tensors.find(
    ({ name }: { name: string }) => name === 'model.layers.0.mlp.up_proj.weight',
  )
  expect(weight).toMatchObject({ format: 'UIntxBitPackedTensor', bitsPerWeight: 4.5 })
  const story = ['generate', out, '--prompt', 'Once upon a time', '--max-tokens', '2']
  expect((await aoJson(story)).ids).toHaveLength(2)
  const eight = ['quantize', MODEL, '--config', 'uintx', '--bits', '8', ...include, '--dry-run']
  expect((await aoJson(eight)).quantized).toBe(6)
})

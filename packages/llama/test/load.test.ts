import {
  cast,
  fromFloat32,
  hostFloat32,
  implement,
  linear,
  TensorSubclass,
  zeros,
  type DenseTensor,
  type OpImplementation,
  type Tensor,
} from '@ao/base-tensor'
import { memoryFolder, serializeSafetensors } from '@ao/safetensors'
import { describe, expect, it } from 'vitest'
import { type Ignored, type LoadProgress } from '@ao/text-generation'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { checkpointFolder, jsonBytes, randomWeights, TINY } from './checkpoints.ts'

const weights = randomWeights(TINY)
const CURE = 'The weights and config.json must be of one model.'
const load = LlamaForCausalLM.fromPretrained

function changed(name: string, tensor: Tensor | undefined): Map<string, Tensor> {
  const copy = new Map(weights)
  if (tensor) copy.set(name, tensor)
  else copy.delete(name)
  return copy
}

/** The least that a format can be: codes that are the weight. */
class CodesTensor extends TensorSubclass {
  static override readonly formatName: string = 'CodesTensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata']
  static override readonly ops: readonly OpImplementation[] = [
    implement(linear, (input, weight, bias) =>
      linear(input, (weight as CodesTensor).dequantize(), bias),
    ),
  ]
  declare readonly qdata: DenseTensor

  constructor(fields: { readonly qdata: DenseTensor }) {
    super(fields, fields.qdata.shape, 'float32')
  }

  override dequantize(): DenseTensor {
    return cast(this.qdata, 'float32') as DenseTensor
  }
}

describe('fromPretrained', () => {
  it.each([1, 4])('takes every tensor from %i files', async (shards) => {
    const model = await load(checkpointFolder(TINY, weights, { shards }))
    for (const [name, tensor] of model.stateDict()) {
      expect(hostFloat32(tensor)).toEqual(hostFloat32(weights.get(name) as Tensor))
    }
  })

  it('casts to float32 unless told otherwise', async () => {
    const folder = checkpointFolder(TINY, randomWeights(TINY, 'bfloat16'))
    expect((await load(folder)).dtype).toBe('float32')
    const half = await load(folder, { dtype: 'float16' })
    const dtypes = [...half.stateDict().values()].map(({ dtype }) => dtype)
    expect(new Set(dtypes)).toEqual(new Set(['float16']))
  })

  it('tells its progress, and of tensors without use', async () => {
    const steps: LoadProgress[] = []
    const ignored: Ignored[] = []
    const extra = changed('model.layers.0.self_attn.rotary_emb.inv_freq', zeros([4]))
    await load(checkpointFolder(TINY, extra), {
      onProgress: (progress) => steps.push(progress),
      onIgnored: (what) => ignored.push(what),
    })
    const name = 'model.layers.0.self_attn.rotary_emb.inv_freq'
    const message = `Tensors of tiny are not used: ${name}.`
    expect(ignored).toEqual([{ kind: 'tensors', names: [name], message }])
    expect(steps).toHaveLength(weights.size)
    const totalBytes = [...weights.values()].reduce((sum, { nbytes }) => sum + nbytes, 0)
    const { name: first = '' } = steps[0] ?? {}
    const bytes = weights.get(first)?.nbytes
    expect(steps[0]).toEqual({ name: first, done: 1, total: weights.size, bytes, totalBytes })
    expect(steps.at(-1)).toMatchObject({ done: weights.size, bytes: totalBytes, totalBytes })
    expect(new Set(steps.map((step) => step.name))).toEqual(new Set(weights.keys()))
  })

  it('keeps quantized tensors, of the formats that it is given', async () => {
    const codes = zeros([32, 24], 'int8')
    codes
      .narrow(0, 3, 1)
      .copy_(cast(fromFloat32(new Float32Array(24).fill(5), [1, 24], 'float32'), 'int8'))
    const quantized = new CodesTensor({ qdata: codes })
    const name = 'model.layers.1.self_attn.q_proj.weight'
    const folder = checkpointFolder(TINY, changed(name, quantized))
    await expect(load(folder)).rejects.toThrow(
      `Expected the class of "${name}" among \`formats\` (none), got "CodesTensor". Import ` +
        'CodesTensor from the @ao package that has it and add it to `formats`.',
    )
    const model = await load(folder, { formats: [CodesTensor], dtype: 'bfloat16' })
    expect(String(model.stateDict().get(name))).toBe(String(quantized))
    const plain = await load(checkpointFolder(TINY, changed(name, quantized.dequantize())), {
      dtype: 'bfloat16',
    })
    expect(hostFloat32(model.forward([1, 2, 3]))).toEqual(hostFloat32(plain.forward([1, 2, 3])))
  })

  it('checks the shapes of quantized tensors too', async () => {
    const name = 'model.layers.1.self_attn.q_proj.weight'
    const entries = changed(name, new CodesTensor({ qdata: zeros([32, 12], 'int8') }))
    await expect(load(checkpointFolder(TINY, entries), { formats: [CodesTensor] })).rejects.toThrow(
      `Expected ${name} in model.safetensors of tiny to have shape [32, 24], got [32, 12].`,
    )
  })

  it('stops when its signal is aborted', async () => {
    const controller = new AbortController()
    const loading = load(checkpointFolder(TINY, weights), {
      signal: controller.signal,
      onProgress: ({ done }) => done === 2 && controller.abort(new Error('enough')),
    })
    await expect(loading).rejects.toThrow('enough')
  })

  it.each<[string, Map<string, Tensor>, string]>([
    [
      'a missing tensor',
      changed('model.norm.weight', undefined),
      '[@ao/text-generation] Expected model.norm.weight among the tensors of tiny, got no such tensor. ' +
        CURE,
    ],
    [
      'a wrong shape',
      changed('model.layers.1.mlp.up_proj.weight', zeros([24, 20])),
      '[@ao/text-generation] Expected model.layers.1.mlp.up_proj.weight in model.safetensors of tiny ' +
        `to have shape [20, 24], got [24, 20]. ${CURE}`,
    ],
    [
      'integers',
      changed('model.norm.weight', zeros([24], 'int8')),
      '[@ao/text-generation] Expected model.norm.weight in model.safetensors of tiny to be of float32, ' +
        `float16 or bfloat16, got int8. ${CURE}`,
    ],
  ])('refuses %s', async (_, entries, message) => {
    await expect(load(checkpointFolder(TINY, entries))).rejects.toThrow(message)
  })

  it('counts further missing tensors', async () => {
    const none = new Map([['x', fromFloat32(new Float32Array(1), [1], 'float32')]])
    await expect(load(checkpointFolder(TINY, none))).rejects.toThrow(
      'Expected model.embed_tokens.weight among the tensors of tiny, got no such tensor, nor 29 others.',
    )
  })

  it('refuses a folder without config.json, and one that it does not support', async () => {
    await expect(load(memoryFolder(new Map(), 'empty'))).rejects.toThrow(
      '[@ao/text-generation] Expected config.json in empty, got no such file. ' +
        'The folder must hold a model as Hugging Face transformers saves it.',
    )
    const files = new Map([
      ['config.json', jsonBytes({ model_type: 'gpt2' })],
      ['model.safetensors', serializeSafetensors([])],
    ])
    await expect(load(memoryFolder(files, 'gpt2'))).rejects.toThrow(
      '[@ao/text-generation] Expected model_type in config.json of gpt2 to be one of llama, got "gpt2".',
    )
  })
})

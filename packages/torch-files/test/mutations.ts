/** @file Files of torch.save that were changed at random, and what must come of them. */

import { AoError } from '@ao/base-tensor'
import { bytesSource, type ByteSource } from '@ao/safetensors'
import {
  dataclass,
  enumValue,
  orderedDict,
  py,
  PyCall,
  pickle,
  subclass,
  TorchSaver,
} from '@ao/test-data'
import { openTorch, randomFrom } from './helpers.ts'

/** A state dict with all that one may have, as its pickle and the file around any pickle. */
function validFile(): { pickle: Uint8Array; wrap: (pickle: Uint8Array) => Uint8Array } {
  const saver = new TorchSaver()
  const bytes = new Uint8Array(64)
  const int8 = (shape: number[]): PyCall => saver.tensor({ dtype: 'int8', shape, bytes })
  const kwargs = dataclass('torchao.quantization.x.QuantizeTensorToInt8Kwargs', {
    granularity: dataclass('torchao.quantization.granularity.PerRow', { dim: -1 }),
    mapping_type: enumValue('torchao.quantization.quant_primitives.MappingType', 1),
    reduce_range: false,
  })
  const quantized = subclass('torchao.quantization.Int8Tensor', 'bfloat16', [2, 4], {
    ...{ qdata: int8([2, 4]), scale: saver.tensor({ dtype: 'float32', shape: [2, 1], bytes }) },
    ...{ zero_point: null, block_size: [1, 4], act_quant_kwargs: kwargs, reduce_range: false },
  })
  const impl = subclass('torchao.dtypes.uintx.plain_layout.PlainAQTTensorImpl', 'int8', [2, 4], {
    ...{ int_data: int8([2, 4]), scale: saver.tensor({ dtype: 'bfloat16', shape: [2], bytes }) },
    zero_point: saver.tensor({ dtype: 'int64', shape: [2], bytes }),
    _layout: dataclass('torchao.dtypes.utils.PlainLayout'),
  })
  const older = subclass(
    'torchao.dtypes.affine_quantized_tensor.AffineQuantizedTensor',
    'bfloat16',
    [2, 4],
    {
      ...{ tensor_impl: impl, block_size: [1, 4], quant_min: null, quant_max: null },
      zero_point_domain: enumValue('torchao.quantization.quant_primitives.ZeroPointDomain', 1),
    },
  )
  const value = orderedDict(
    [
      ['a.weight', quantized],
      ['b.weight', older],
      ['c', saver.tensor({ dtype: 'float32', shape: [2, 3], strides: [1, 2], offset: 1, bytes })],
      ['d', new PyCall(py('torch._utils._rebuild_parameter'), [int8([3]), true, orderedDict()])],
      ['e', saver.tensor({ dtype: 'float8_e4m3fn', shape: [5], bytes })],
    ],
    new Map([['_metadata', orderedDict([['', new Map([['version', 1]])]])]]),
  )
  return { pickle: pickle(value), wrap: (changed) => saver.file(changed) }
}

const OPS = [...'().GJKMNQRUX]abcehjqrstu}'].map((op) => op.charCodeAt(0))
const MORE_OPS = [
  0x80, 0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x93, 0x94, 0x95, 0x30, 0x32, 0x69,
]
const ALL_OPS = [...OPS, ...MORE_OPS]

/** Changes bytes: one, several, a piece that goes, comes again or comes from elsewhere, the end. */
function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit)
  const result = [...bytes]
  for (let changes = 1 + (random() < 0.5 ? 0 : below(3)); changes > 0; changes--) {
    const at = below(result.length)
    const length = 1 + below(random() < 0.8 ? 8 : 200)
    const kind = below(7)
    if (kind === 0) result[at] = below(256)
    else if (kind === 1) result[at] = (result[at] as number) ^ (1 << below(8))
    else if (kind === 2) result[at] = ALL_OPS[below(ALL_OPS.length)] as number
    else if (kind === 3) result.splice(at, length)
    else if (kind === 4)
      result.splice(at, 0, ...result.slice(below(result.length)).slice(0, length))
    else if (kind === 5) result.splice(at, 4, ...[0xff, 0xff, 0xff, random() < 0.5 ? 0xff : 0x7f])
    else result.splice(at, 0, ALL_OPS[below(ALL_OPS.length)] as number)
    if (result.length === 0) result.push(0)
  }
  return Uint8Array.from(result)
}

/** A source that refuses to be read beyond its end, or as more than it is. */
function guarded(file: Uint8Array): ByteSource {
  const source = bytesSource(file, 'model.bin')
  return {
    ...source,
    read: async (offset, length, options) => {
      if (!(offset >= 0 && length >= 0 && offset + length <= file.length)) {
        throw new RangeError(`bytes ${offset} to ${offset + length} of ${file.length}`)
      }
      return source.read(offset, length, options)
    },
  }
}

/** What came of mutated files: those that opened, those refused, and what else was thrown. */
export interface MutationReport {
  opened: number
  refused: number
  readonly wrong: string[]
}

/** Opens `count` mutated files, and reads all that they hold. Three of four are changed inside of the pickle only. */
export async function openMutations(count: number, seed: number): Promise<MutationReport> {
  const random = randomFrom(seed)
  const valid = validFile()
  const whole = valid.wrap(valid.pickle)
  const report: MutationReport = { opened: 0, refused: 0, wrong: [] }
  for (let i = 0; i < count; i++) {
    const file = i % 4 !== 0 ? valid.wrap(mutate(valid.pickle, random)) : mutate(whole, random)
    try {
      const checkpoint = await openTorch(guarded(file))
      for (const stored of checkpoint.files.values()) {
        for (const [key, { nbytes }] of stored.tensors) {
          const bytes = await stored.readBytes(key)
          if (bytes.length !== nbytes) report.wrong.push(`${key}: ${bytes.length} for ${nbytes}`)
        }
      }
      report.opened++
    } catch (error) {
      if (AoError.isInstance(error)) report.refused++
      else report.wrong.push(`${i}: ${(error as Error).stack}`)
    }
  }
  return report
}

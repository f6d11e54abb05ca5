/** @file The names of Python that a state dict may hold, and what each stands for. Nothing else is let in. */

import { DAMAGED, quote, refuse } from './errors.ts'
import { describeValue, PickleDict, type PickleWorld } from './pickle.ts'
import { ENUMS, isAoName, OLDER_CLASSES, TENSOR_CLASSES } from './torchao-names.ts'
import {
  AoClass,
  AoObject,
  AoTensor,
  Callable,
  isTorchDType,
  OPAQUE,
  Storage,
  StorageClass,
  TorchDType,
  TorchTensor,
} from './values.ts'

/** Classes of storages by their names in `torch`. */
const STORAGES: Readonly<Record<string, string>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
}

/** What a call gives, by the full name of what is called. */
type Calls = Readonly<Record<string, (args: readonly unknown[], what: string) => unknown>>

const tensorV2 = (args: readonly unknown[], what: string): unknown => rebuildTensor(args, what)

const CALLS: Calls = {
  'collections.OrderedDict': (args, what) => orderedDict(args, what),
  'torch._utils._rebuild_tensor': tensorV2,
  'torch._utils._rebuild_tensor_v2': tensorV2,
  'torch._utils._rebuild_tensor_v3': (args, what) => rebuildTensor(args, what, args[6]),
  'torch._utils._rebuild_parameter': ([data]) => data,
  'torch._utils._rebuild_parameter_with_state': ([data]) => data,
  'torch._utils._rebuild_wrapper_subclass': (args, what) => wrapper(args, what),
  'torch._tensor._rebuild_from_type_v2': (args, what) => fromType(args, what),
  'torch.Size': ([sizes]) => sizes,
  'torch.device': () => OPAQUE,
  'torch.serialization._get_layout': () => OPAQUE,
}

/** Names that are passed on, and never called. */
const NAMED = ['torch.Tensor', 'torch.nn.parameter.Parameter']

/** What PyTorch's state dicts are made of. @param what - the pickle's name in messages */
export function torchWorld(what: string): PickleWorld {
  const globals = new Map<string, unknown>()
  return {
    global: (module, name) => {
      const key = `${module} ${name}`
      // One value for each name, however often it comes.
      const value = globals.get(key) ?? findGlobal(module, name) ?? refuseGlobal(module, name, what)
      globals.set(key, value)
      return value
    },
    persistent: (id) => findStorage(id, what),
    reduce: (callable, args) => reduce(callable, args, what),
    newObject: (type, args) =>
      type instanceof AoClass ? new AoObject(type, args) : refuseCall(type, what),
    build: (object, state) => build(object, state, what),
  }
}

function findGlobal(module: string, name: string): unknown {
  const path = `${module}.${name}`
  if (Object.hasOwn(CALLS, path) || NAMED.includes(path)) return new Callable(path)
  if (module === 'torch' && Object.hasOwn(STORAGES, name)) {
    return new StorageClass(new TorchDType(STORAGES[name] as string))
  }
  if (path === 'torch.storage.UntypedStorage') return new StorageClass(undefined)
  if (module === 'torch' && isTorchDType(name)) return new TorchDType(name)
  return /^torchao(?:\.\w+)*$/.test(module) && isAoName(name) ? new AoClass(name) : undefined
}

function refuseGlobal(module: string, name: string, what: string): never {
  const path = `${module}.${name}`
  const cure = /^torchao\b/.test(module)
    ? 'Save the model as safetensors with the version of torchao that wrote it.'
    : /^__torch__\b/.test(module)
      ? 'It is a program of TorchScript: save its state_dict() with torch.save.'
      : 'Nothing was run. Save the state dict alone: torch.save(model.state_dict(), path).'
  return refuse(`${what} to name only what state dicts are made of`, quote(path), cure)
}

function reduce(callable: unknown, args: readonly unknown[], what: string): unknown {
  if (callable instanceof AoClass && Object.hasOwn(ENUMS, callable.name)) {
    return new AoObject(callable, args)
  }
  const call =
    callable instanceof Callable && Object.hasOwn(CALLS, callable.name) && CALLS[callable.name]
  return call ? call(args, what) : refuseCall(callable, what)
}

function refuseCall(callable: unknown, what: string): never {
  const isNamed = callable instanceof Callable || callable instanceof AoClass
  return refuse(
    `${what} to call only what rebuilds tensors`,
    isNamed ? quote(callable.name) : describeValue(callable),
    'Nothing was run. Save the state dict alone: torch.save(model.state_dict(), path).',
  )
}

function build(object: unknown, state: unknown, what: string): void {
  // State dicts carry versions of modules.
  if (object instanceof PickleDict) return
  const [own] = Array.isArray(state) ? state : [state]
  if (object instanceof AoObject && (own instanceof PickleDict || own === null)) {
    object.state = own ?? undefined
    return
  }
  refuse(`${what} to give state to what has some`, describeValue(object), DAMAGED)
}

function orderedDict([pairs]: readonly unknown[], what: string): PickleDict {
  const dict = new PickleDict()
  for (const pair of pairs === undefined ? [] : listOf(pairs, what)) {
    const [key, value] = listOf(pair, what)
    dict.items.push(key, value)
  }
  return dict
}

/** `('storage', class, key, location, number of elements)`. */
function findStorage(id: unknown, what: string): Storage {
  const [kind, type, key, , elements] = listOf(id, what)
  if (kind !== 'storage' || !(type instanceof StorageClass) || typeof key !== 'string') {
    return refuse(`storages in ${what}`, describeValue(kind), DAMAGED)
  }
  return new Storage(key, type.dtype, sizeOf(elements, what))
}

/** `(storage, offset, size, strides, ...)`; the third version says the dtype, too. */
function rebuildTensor(args: readonly unknown[], what: string, given?: unknown): TorchTensor {
  const [storage, offset, size, strides] = args
  const dtype = storage instanceof Storage ? (given ?? storage.dtype) : undefined
  if (!(storage instanceof Storage) || !(dtype instanceof TorchDType)) {
    return refuse(
      `tensors of ${what} to have a storage and a dtype`,
      describeValue(storage),
      DAMAGED,
    )
  }
  return new TorchTensor(
    storage,
    dtype,
    sizeOf(offset, what),
    sizesOf(size, what),
    sizesOf(strides, what),
  )
}

/** `(class, dtype, size, strides, offset, layout, device, requires_grad)`. */
function wrapper([type, dtype, size]: readonly unknown[], what: string): AoTensor {
  if (!(type instanceof AoClass) || !(dtype instanceof TorchDType)) {
    return refuse(`tensor classes of torchao in ${what}`, describeValue(type), DAMAGED)
  }
  if (!Object.hasOwn(TENSOR_CLASSES, type.name) && !OLDER_CLASSES.includes(type.name)) {
    return refuse(`tensor classes of torchao in ${what}`, quote(type.name), DAMAGED)
  }
  return new AoTensor(type, dtype, sizesOf(size, what))
}

/** `(function, class, its arguments, state)`: the tensor that the function gives, with a state. */
function fromType([callable, , args, state]: readonly unknown[], what: string): unknown {
  const isSelf = callable instanceof Callable && callable.name.endsWith('_rebuild_from_type_v2')
  const tensor = isSelf ? refuseCall(callable, what) : reduce(callable, listOf(args, what), what)
  // A tuple has the slots of the object, too: no class of torchao has any.
  const [own] = Array.isArray(state) ? state : [state]
  if (tensor instanceof AoTensor && own instanceof PickleDict) tensor.state = own.byText()
  return tensor
}

function listOf(value: unknown, what: string): readonly unknown[] {
  return Array.isArray(value) ? value : refuse(`a tuple in ${what}`, describeValue(value), DAMAGED)
}

function sizesOf(value: unknown, what: string): readonly number[] {
  return listOf(value, what).map((size) => sizeOf(size, what))
}

function sizeOf(value: unknown, what: string): number {
  const isSize = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
  return isSize ? value : refuse(`sizes in ${what}`, describeValue(value), DAMAGED)
}

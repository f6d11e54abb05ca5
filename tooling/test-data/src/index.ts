export {
  goldenPath,
  loadGolden,
  loadSpecGolden,
  loadTensors,
  readRawSafetensors,
  toNumbers,
  type GoldenCase,
  type MakeTensor,
} from './golden.ts'
export { modelPath, sharedPath } from './models.ts'
export { pickle, PyCall, PyFloat, PyGlobal, PyPersistent, PyRaw, PyTuple } from './pickle-writer.ts'
export {
  crc32,
  dataclass,
  enumValue,
  orderedDict,
  py,
  subclass,
  torchSave,
  TorchSaver,
  torchZip,
  type TorchTensorToSave,
  type ZipPart,
} from './torch-save.ts'

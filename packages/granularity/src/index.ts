export {
  checkBlockSize,
  checkGroupSize,
  getBlockSize,
  reductionParams,
  type GroupSizeCheck,
  type ReductionParams,
} from './block-size.ts'
export { granularityCodec } from './codec.ts'
export {
  describeGranularity,
  granularityEquals,
  PerAxis,
  PerBlock,
  PerGroup,
  PerRow,
  PerTensor,
  PerToken,
  type Granularity,
} from './granularity.ts'
export { viewBlockSize } from './view-block-size.ts'

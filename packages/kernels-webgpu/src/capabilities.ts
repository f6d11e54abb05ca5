/** @file What a GPU offers, as far as kernels ask for it. */

/** A shape of matrices that a subgroup multiplies as one operation. */
export interface SubgroupMatrixShape {
  readonly componentType: string
  readonly resultComponentType: string
  readonly M: number
  readonly N: number
  readonly K: number
}

/** What kernels choose by. */
export interface Capabilities {
  /** shader-f16: 16-bit floats in shaders. */
  readonly f16: boolean
  /** Operations across the invocations of a subgroup. */
  readonly subgroups: boolean
  readonly minSubgroupSize: number
  readonly maxSubgroupSize: number
  /** Shapes of subgroup matrices; empty where there are none. */
  readonly subgroupMatrices: readonly SubgroupMatrixShape[]
  /** `dot4I8Packed` and its kin. */
  readonly packedDot: boolean
  /** Queries of the GPU's clock. */
  readonly timestamps: boolean
  /** Bytes of one buffer. */
  readonly maxBufferSize: number
  /** Bytes that a shader sees of one buffer; larger weights are multiplied in parts. */
  readonly maxBindingSize: number
  /** Buffers that a shader sees. */
  readonly maxStorageBuffers: number
  /** Bytes that a workgroup shares. */
  readonly maxWorkgroupStorage: number
  /** Invocations of a workgroup. */
  readonly maxInvocations: number
}

/** Optional features that are asked for where the adapter has them. */
export const WANTED_FEATURES: readonly string[] = [
  'shader-f16',
  'subgroups',
  'timestamp-query',
  'chromium-experimental-subgroup-matrix',
]

/** Limits that are asked for as high as the adapter has them. */
export const WANTED_LIMITS: readonly (keyof GPUSupportedLimits & `max${string}`)[] = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
]

/**
 * What `device` offers.
 *
 * @param adapterInfo - of its adapter: Dawn lists subgroup matrices there, but not in the device's own copy
 */
export function capabilitiesOf(
  device: GPUDevice,
  adapterInfo: GPUAdapterInfo,
  languageFeatures: ReadonlySet<string> | undefined,
): Capabilities {
  const info = adapterInfo as Partial<GPUAdapterInfo> & {
    readonly subgroupMatrixConfigs?: Iterable<SubgroupMatrixShape>
  }
  const { limits } = device
  const has = (feature: string): boolean => device.features.has(feature)
  return {
    f16: has('shader-f16'),
    subgroups: has('subgroups'),
    minSubgroupSize: info.subgroupMinSize ?? 4,
    maxSubgroupSize: info.subgroupMaxSize ?? 128,
    subgroupMatrices: has('chromium-experimental-subgroup-matrix')
      ? Array.from(info.subgroupMatrixConfigs ?? [], shapeOf)
      : [],
    packedDot: languageFeatures?.has('packed_4x8_integer_dot_product') ?? false,
    timestamps: has('timestamp-query'),
    maxBufferSize: limits.maxBufferSize,
    maxBindingSize: limits.maxStorageBufferBindingSize,
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    maxWorkgroupStorage: limits.maxComputeWorkgroupStorageSize,
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
  }
}

/** A copy: what Dawn lists is not plain data. */
function shapeOf(shape: SubgroupMatrixShape): SubgroupMatrixShape {
  const { componentType, resultComponentType, M, N, K } = shape
  return { componentType, resultComponentType, M, N, K }
}

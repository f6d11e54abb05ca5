/** @file What pipelines and bind groups share: layouts of bindings. */

/** Bytes of uniforms that a program sees. */
export const PARAMS_SIZE = 256

/** Groups by the ranges that they bind: for each a level of buffers' ids and a level of the part. */
export type BindGroups = Map<number | string, BindGroups | GPUBindGroup>

/** The layout of bindings of equal access, and the groups that were made for it. */
export interface BindingsLayout {
  readonly layout: GPUBindGroupLayout
  readonly hasParams: boolean
  readonly groups: BindGroups
}

/** @file What is said when no kernel can run a call. */

import { MissingKernelError, type AnyOp } from '@ao/base-tensor'

const PACKAGE = '@ao/kernels-webgpu'

/** For an op that a device has no kernel for. */
export function missingKernel({ opName }: AnyOp): MissingKernelError {
  const [owner, rest] = opName.split('.')
  const source =
    rest === undefined
      ? 'denseKernels of @ao/kernels-webgpu, or those of the package that defines it'
      : `webgpuKernels of the package that defines it, such as @ao/${owner?.replaceAll('_', '-')}/webgpu`
  return new MissingKernelError({
    package: PACKAGE,
    expected: `a kernel for ${opName}`,
    got: 'a device without one',
    cure: `Pass ${source}, in the kernels of WebGPUDevice.create().`,
  })
}

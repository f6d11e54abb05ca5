/** @file Pipelines, compiled in the background, and the layouts of their bindings. */

import { KernelError } from './errors.ts'
import { PARAMS_SIZE, type BindingsLayout } from './bindings-layout.ts'
import type { Program } from './program.ts'

/** A program on one GPU: there once it is compiled. */
export interface Pipeline {
  readonly program: Program
  readonly bindings: BindingsLayout
  pipeline: GPUComputePipeline | undefined
  /** Why it will not be there: a {@link KernelError}. */
  failure: unknown
  /** Resolves when `pipeline` is there; rejects with a {@link KernelError}. */
  readonly ready: Promise<void>
}

const COMPUTE = 0x4

/** The pipelines of one GPU. */
export class PipelineCache {
  readonly #gpu: GPUDevice
  readonly #pipelines = new Map<Program, Pipeline>()
  readonly #layouts = new Map<string, BindingsLayout>()

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu
  }

  /** The pipeline of a program; the first call begins to compile it. */
  get(program: Program): Pipeline {
    let pipeline = this.#pipelines.get(program)
    if (!pipeline) {
      pipeline = this.#compile(program)
      this.#pipelines.set(program, pipeline)
    }
    return pipeline
  }

  #compile(program: Program): Pipeline {
    const bindings = this.#layout(program.access)
    const layout = this.#gpu.createPipelineLayout({
      bindGroupLayouts: [bindings.layout],
    })
    // A shader that does not compile rejects `ready`; nobody else is to hear of it.
    this.#gpu.pushErrorScope('validation')
    const module = this.#gpu.createShaderModule({ label: program.name, code: program.code })
    const ready = this.#gpu
      .createComputePipelineAsync({ label: program.name, layout, compute: { module } })
      .then(
        (compiled) => {
          entry.pipeline = compiled
        },
        async (cause: unknown) => {
          entry.failure = await compileError(program, module, cause)
          throw entry.failure
        },
      )
    void this.#gpu.popErrorScope().catch(() => undefined)
    ready.catch(() => undefined) // whoever waits for the commands is told
    const entry: Pipeline = { program, bindings, pipeline: undefined, failure: undefined, ready }
    return entry
  }

  #layout(access: string): BindingsLayout {
    let bindings = this.#layouts.get(access)
    if (!bindings) {
      const layout = this.#gpu.createBindGroupLayout({
        entries: Array.from(access, (kind, binding) => ({
          binding,
          visibility: COMPUTE,
          buffer: BUFFER_TYPES[kind] as GPUBufferBindingLayout,
        })),
      })
      bindings = { layout, hasParams: access.endsWith('u'), groups: new Map() }
      this.#layouts.set(access, bindings)
    }
    return bindings
  }
}

const BUFFER_TYPES: Readonly<Record<string, GPUBufferBindingLayout>> = {
  r: { type: 'read-only-storage' },
  w: { type: 'storage' },
  u: { type: 'uniform', hasDynamicOffset: true, minBindingSize: PARAMS_SIZE },
}

async function compileError(
  program: Program,
  module: GPUShaderModule,
  cause: unknown,
): Promise<KernelError> {
  const info = await module.getCompilationInfo().catch(() => undefined)
  const messages = info?.messages.map(({ lineNum, message }) => `line ${lineNum}: ${message}`) ?? []
  return new KernelError({
    package: '@ao/kernels-webgpu',
    expected: `the kernel ${program.name} to compile`,
    got: messages.join('; ') || String((cause as Error | undefined)?.message ?? cause),
    cause,
  })
}

import {
  rejectJson,
  takes,
  ValueError,
  type ConfigOption,
  type DenseTensor,
  type ErrorMaker,
} from '@ao/base-tensor'

/**
 * A tensor as an option of a config, such as a measured scale: torchao's JSON has a place for it but no way to
 * write it.
 *
 * @param fail - the errors of the package that the config is in
 */
/* @__NO_SIDE_EFFECTS__ */
export function noTensorOption(fail: ErrorMaker): ConfigOption<DenseTensor | undefined> {
  takes('f', fail)
  return {
    fallback: undefined,
    codec: {
      encode: (value) => {
        if (value === undefined) return null
        throw fail(
          ValueError,
          'a config without tensors, to write it as JSON',
          `an activation scale or zero point (${String(value)})`,
          'Write the quantized model instead: its tensors carry them.',
        )
      },
      decode: (json, path) => (json === null ? undefined : rejectJson(path, 'null', json)),
    },
  }
}

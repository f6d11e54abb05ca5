/** @file What is done about fields of a config that no parser reads. */

import { FormatError, takes } from '@ao/base-tensor'
import { describe, isObject, type ConfigFields, type UnreadField } from './config-fields.ts'

/** What a family of models makes of fields that its parser does not read. */
export interface FieldRules<Config> {
  /** Fields that change nothing that the model computes, whatever they hold. */
  readonly harmless: ReadonlySet<string>
  /**
   * Fields that change what the model computes, and when they do not: for a value that is here, or that
   * the function accepts. Null always means "not set".
   */
  readonly inactive: Readonly<
    Record<string, readonly unknown[] | ((value: unknown, config: Config) => boolean)>
  >
}

/** Something in a model's folder that the model does not use. */
export interface Ignored {
  readonly kind: 'fields' | 'tensors'
  /** Fields of a JSON file, or tensors of the checkpoint. */
  readonly names: readonly string[]
  /** A sentence with the file and why. */
  readonly message: string
}

/** Options of {@link parseLlamaConfig}. */
export interface ConfigOptions {
  /**
   * What to do about a field that is not known, or is known to ask for arithmetic that is not there, and
   * holds a value that may matter: `'refuse'` unless given. `'ignore'` runs the model without it.
   */
  readonly unknownFields?: 'refuse' | 'ignore'
  /** Told once of what is left out of use. */
  readonly onIgnored?: (ignored: Ignored) => void
}

/**
 * Looks at every field that was not read.
 *
 * @throws {@link FormatError} naming those that may change what the model computes
 */
export function checkUnreadFields<Config>(
  fields: ConfigFields,
  rules: FieldRules<Config>,
  config: Config,
  options: ConfigOptions,
): void {
  takes('o<unread:f where:x>o<harmless:o inactive:o>.o', fields, rules, config, options)
  const { harmless, inactive } = rules
  const { unknownFields, onIgnored } = options
  const active: UnreadField[] = []
  const idle: UnreadField[] = []
  for (const field of fields.unread()) {
    const { name, value } = field
    if (value === null || value === undefined) continue // not set
    if (harmless.has(name) || TRAINING_FIELD.test(name)) continue
    const rule = Object.hasOwn(inactive, name) ? inactive[name] : undefined
    const changesNothing =
      rule === undefined
        ? isNeutral(name, value)
        : typeof rule === 'function'
          ? rule(value, config)
          : rule.includes(value)
    if (!changesNothing) active.push(field)
    else if (rule === undefined) idle.push(field)
  }
  if (active.length > 0 && unknownFields !== 'ignore') refuse(fields.where, active)
  report(active, 'are ignored: the model may be another one with them', fields.where, onIgnored)
  report(idle, 'are not known, and are taken for switched off', fields.where, onIgnored)
}

/** Reports those of `names` that are written and not read, with values that mean something. */
export function reportUnusedFields(
  fields: ConfigFields,
  names: ReadonlySet<string>,
  onIgnored: ConfigOptions['onIgnored'],
): void {
  takes('o<unread:f where:x>o<has:f>f?', fields, names, onIgnored)
  const unused = fields
    .unread()
    .filter(({ name, value }) => names.has(name) && (value ?? 1) !== 1 && !isNeutral(name, value))
  report(unused, 'are not used: pass such options yourself', fields.where, onIgnored)
}

const TRAINING_FIELD = /dropout|_pdrop$|_loss(_coef|_weight)?$/

/** Whether a value of a field that nobody knows means "not set" or "switched off". */
function isNeutral(name: string, value: unknown): boolean {
  if (typeof value === 'number') return value === (FACTOR.test(name) ? 1 : 0)
  return value === false || value === '' || (isContainer(value) && Object.keys(value).length === 0)
}

const FACTOR = /scal(e|ing|ar)|multiplier|factor/

function isContainer(value: unknown): value is object {
  return Array.isArray(value) || isObject(value)
}

function nameOf({ name, where }: UnreadField, root: string): string {
  return where === root ? name : `${name} in ${where.slice(0, -root.length - ' in '.length)}`
}

function refuse(where: string, active: readonly UnreadField[]): never {
  throw new FormatError({
    package: '@ao/text-generation',
    expected: `fields in ${where} that are known, or that change nothing`,
    got: active.map((field) => `${nameOf(field, where)}: ${describe(field.value)}`).join(', '),
    cure: "What they ask for is not computed. `unknownFields: 'ignore'` runs the model without it.",
  })
}

function report(
  fields: readonly UnreadField[],
  what: string,
  where: string,
  onIgnored: ConfigOptions['onIgnored'],
): void {
  if (fields.length === 0) return
  const names = fields.map((field) => nameOf(field, where))
  onIgnored?.({
    kind: 'fields',
    names,
    message: `Fields in ${where} ${what}: ${names.join(', ')}.`,
  })
}

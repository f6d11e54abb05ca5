/** @file JSON text as Python's `json.dumps` writes it: torchao's metadata is compared as text. */

import { takes, type Json } from '@ao/base-tensor'
import { refuse } from './errors.ts'

/** `json` with ", " and ": " between its parts, ASCII only, numbers spelled as Python spells them. */
export function pythonJson(json: Json): string {
  if (typeof json === 'number') return pythonNumber(json)
  if (typeof json === 'string') return pythonString(json)
  if (json === null || typeof json === 'boolean') return String(json)
  if (Array.isArray(json)) return `[${(json as readonly Json[]).map(pythonJson).join(', ')}]`
  takes('o', json)
  const fields = Object.entries(json).map(([key, value]) => {
    return `${pythonString(key)}: ${pythonJson(value as Json)}`
  })
  return `{${fields.join(', ')}}`
}

function pythonString(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** Whole numbers count as Python's int. Floats have two digits or more in their exponent. */
function pythonNumber(value: number): string {
  if (!Number.isFinite(value)) {
    refuse('a number that JSON can hold', String(value), 'Leave that attribute out.')
  }
  if (Number.isInteger(value)) return BigInt(value).toString()
  const usesExponent = Math.abs(value) < 1e-4
  const text = usesExponent ? value.toExponential() : String(value)
  return text.replace(/e([+-])(\d)$/, (_, sign: string, digit: string) => `e${sign}0${digit}`)
}

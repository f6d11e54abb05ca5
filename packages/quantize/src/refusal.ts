/** @file Why a parameter is left alone. */

/** Why a parameter is left alone where no key of a config names it. */
export interface Refusal {
  readonly reason: string
  /** Whether a key that names it changes nothing: its layout is not the one that formats quantize. */
  readonly isFinal: boolean
}

const TWO_OVER_SQRT_PI = 1.1283791670955126

/**
 * The error function, to about 1e-15.
 *
 * `erf(x) = 2/sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n+1) / (1 * 3 * ... * (2n+1))`. All terms have one
 * sign, so nothing cancels.
 */
export function erf(x: number): number {
  // From here on 1 - erf(|x|) is below half a unit in the last place.
  if (Math.abs(x) >= 6) return Math.sign(x)
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return TWO_OVER_SQRT_PI * Math.exp(-x * x) * sum
}

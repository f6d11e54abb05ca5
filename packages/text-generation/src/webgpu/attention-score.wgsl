// After numbers.wgsl and stored.wgsl. The score of a query and a key, of their product: each step is rounded to the
// dtype of the query, as in the op's reference. Option: SOFTCAP.
#if X == float16
const LARGEST = 65504.0;
#else
const LARGEST = 3.38e38;
#endif

fn rounded(x: f32) -> f32 { return ${X}_round(vec4f(x)).x; }

fn score_of(product: f32, scale: f32) -> f32 {
  let score = rounded(rounded(clamp(product, -LARGEST, LARGEST)) * scale);
#if SOFTCAP
  // Some GPUs overflow beyond 15.
  return rounded(${SOFTCAP} * rounded(tanh(clamp(rounded(score / ${SOFTCAP}), -15.0, 15.0))));
#else
  return score;
#endif
}

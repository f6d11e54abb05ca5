// After convert.wgsl. Codes and numbers with floating zero points: see `convert.wgsl`.
#if QUANTIZES
// The scale, and the number of the lowest code.
fn block_of(block: u32) -> vec2f {
  let scale = scale_of(block);
  return vec2f(scale, $ROUND_LOWEST(zero_of(block) - unfused($ROUND_SCALE(scale * params.middle), params.nothing)));
}

fn convert(x: f32, block: vec2f) -> f32 {
#if FINITE
  // As on the CPU: small numbers are zeros where steps are small, and halves are subtracted where steps are
  // so large that a difference may be beyond the largest number.
  let is_small = (bitcast<u32>(x) & 0x7fffffffu) < 0x0d800000u; // below 2^-100
  let share = select(1.0, 0.5, block.x > ${LARGE_STEP});
  let number = select(x, 0.0, block.x < 0x1p-110f && is_small) * share;
  let steps = round($ROUND_SUM(divide($ROUND_PRODUCT(number - block.y * share), block.x * share)));
#else
  let steps = round($ROUND_SUM(divide($ROUND_PRODUCT(x - block.y), block.x)));
#endif
  return clamp_code(steps + params.offset, params.quant_min, params.quant_max);
}
#else
// The scale, and the number of the middle code.
fn block_of(block: u32) -> vec2f { return vec2f(scale_of(block), zero_of(block)); }

fn convert(code: f32, block: vec2f) -> f32 {
  let steps = $ROUND_OUT(code - params.middle);
  return $ROUND_OUT(unfused($ROUND_OUT(multiply(steps, block.x)), params.nothing) + block.y);
}
#endif

// After convert.wgsl. The reciprocal of the scale, and the zero point.
fn block_of(block: u32) -> vec2f {
  return vec2f($ROUND_SCALE(divide(1.0, scale_of(block))), $ROUND_SUM(zero_of(block)));
}

fn convert(x: f32, block: vec2f) -> f32 {
  let steps = round($ROUND_PRODUCT(multiply(x, block.x)));
  return clamp_code($ROUND_SUM(steps + block.y), params.quant_min, params.quant_max);
}

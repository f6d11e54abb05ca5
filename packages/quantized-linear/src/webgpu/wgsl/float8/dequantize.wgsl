// After format.wgsl and convert.wgsl. Codes of float8 to numbers.
fn block_of(block: u32) -> vec2f { return vec2f(scale_of(block), 0.0); }

fn convert(code: f32, block: vec2f) -> f32 {
#if FINITE
  if (block.x == 0.0) { return 0.0; }
#endif
  return $ROUND_OUT(multiply(code, block.x));
}

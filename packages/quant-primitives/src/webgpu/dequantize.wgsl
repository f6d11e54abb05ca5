// After convert.wgsl. The scale, and the zero point.
fn block_of(block: u32) -> vec2f {
  return vec2f(scale_of(block), $ROUND_OUT(zero_of(block)));
}

fn convert(code: f32, block: vec2f) -> f32 {
#if ZERO == none
  return $ROUND_PRODUCT(multiply($ROUND_OUT(code), block.x));
#else
  return $ROUND_PRODUCT(multiply($ROUND_OUT($ROUND_OUT(code) - block.y), block.x));
#endif
}

// After int8.wgsl of @ao/quantized-linear. A decoder's scales: scale and zero are (N / SCALE_ROWS, K / g), one for
// each block of rows by groups.
fn block_of(row: u32, group: u32) -> u32 { return row / ${SCALE_ROWS}u * GROUPS + group; }

fn zero_level(row: u32, group: u32) -> f32 {
#if zero
  return zero1(block_of(row, group));
#else
  return 0.0;
#endif
}

fn qparams(row: u32, group: u32) -> Qparams {
#for r in 0..4
  let block$r = block_of(min(row + ${r}u, N - 1u), group);
#end
  let scale = vec4f(scale1(block0), scale1(block1), scale1(block2), scale1(block3));
#if zero
  return Qparams(scale, -scale * vec4f(zero1(block0), zero1(block1), zero1(block2), zero1(block3)));
#else
  return Qparams(scale, vec4f());
#endif
}

fn value_of(row: u32, group: u32, level: f32) -> f32 {
  return (level - zero_level(row, group)) * scale1(block_of(row, group));
}

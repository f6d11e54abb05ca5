// After int4.wgsl of @ao/quantized-linear. A decoder's scales: scales and zeros are (bands, K / g, 4).
fn qparams(row: u32, group: u32) -> Qparams {
  let at = (row / 4u * GROUPS + group) * 4u;
#if rowScale
  return Qparams(scale4(at) * rowScale4(row), vec4f());
#else
#if zero
  return Qparams(scale4(at), zero4(at));
#else
  return Qparams(scale4(at), vec4f());
#endif
#endif
}

fn value_of(row: u32, group: u32, level: f32) -> f32 {
  let at = (row / 4u * GROUPS + group) * 4u + row % 4u;
#if rowScale
  return level * unfused(scale1(at) * rowScale1(row));
#else
#if zero
  return unfused(level * scale1(at)) + zero1(at);
#else
  return level * scale1(at);
#endif
#endif
}

// Scales and zeros are (K / g, N).
fn qparams(row: u32, group: u32) -> Qparams {
  let at = group * N + row;
  return Qparams(scale4(at), zero4(at));
}

fn value(row: u32, group: u32, code: f32) -> f32 {
  let at = group * N + row;
  return apart((code - 8.0) * scale1(at)) + zero1(at);
}

// After int4.wgsl of @ao/quantized-linear. A decoder's scales: scale and zero are (K / g, N). Values are those
// that `qparams` gives.
fn qparams(row: u32, group: u32) -> Qparams {
  let at = group * N + row;
  return Qparams(scale4(at), zero4(at));
}

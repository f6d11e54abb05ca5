// After int4.wgsl of @ao/quantized-linear. A decoder's scales: scales and zeros are (K / g, rows, 2): pairs of
// bfloat16.
const PADDED_ROWS = ${PADDED_ROWS}u;

fn qparams(row: u32, group: u32) -> Qparams {
  let at = 2u * (group * PADDED_ROWS + row);
  let first = pairs4(at);
  let second = pairs4(at + 4u);
  return Qparams(vec4f(first.xz, second.xz), vec4f(first.yw, second.yw));
}

// Rounded to bfloat16 once, as by a fused instruction of a GPU that has it. The product is exact; where the
// sum, as a float32, lies halfway between two bfloat16 numbers, what it lost decides.
fn value_of(row: u32, group: u32, level: f32) -> f32 {
  let q = qparams(row / 4u * 4u, group);
  let product = unfused(level * q.scale[row % 4u]);
  let zero = q.zero[row % 4u];
  let sum = unfused(product + zero);
  let bits = bitcast<u32>(sum);
  if ((bits & 0xffffu) != 0x8000u) { return round_bf16(sum); }
  let from_product = unfused(sum - zero);
  let lost = (product - from_product) + (zero - unfused(sum - from_product));
  if (lost == 0.0) { return round_bf16(sum); }
  return round_bf16(bitcast<f32>(select(bits - 1u, bits + 1u, (lost > 0.0) == (sum > 0.0))));
}

// After numbers.wgsl and stored.wgsl, before argmax.wgsl or top-k.wgsl. Numbers as integers of the same order;
// both zeros are equal, NaN is above all.
const NAN_RANK = 0xffffffffu;

fn rank_of(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return NAN_RANK; }
  if (bits == 0x80000000u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

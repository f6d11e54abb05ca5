// After a decoder that has `level` and `qparams` alone. The value that the CPU gives for a level.
fn value_of(row: u32, group: u32, level: f32) -> f32 {
  let q = qparams(row / 4u * 4u, group);
  return unfused(level * q.scale[row % 4u]) + q.zero[row % 4u];
}

// After a decoder that has `level` and `value_of`.
fn value(row: u32, k: u32) -> f32 { return value_of(params.first + row, k / GROUP_SIZE, level(row, k)); }

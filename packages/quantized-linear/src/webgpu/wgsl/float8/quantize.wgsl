// After format.wgsl and convert.wgsl. Numbers to codes of float8.
fn block_of(block: u32) -> vec2f { return vec2f(divisor(scale_of(block)), 0.0); }

fn convert(x: f32, block: vec2f) -> f32 { return f32(code_of(x, block.x)); }
fn bits_float8_e4m3fn(code: f32) -> u32 { return u32(code); }
fn bits_float8_e5m2(code: f32) -> u32 { return u32(code); }

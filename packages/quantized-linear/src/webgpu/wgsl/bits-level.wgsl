// For bits.wgsl: codes are in two's complement, or from 0 on.
#if SIGNED
fn level_of(code: u32) -> f32 { return f32(extractBits(bitcast<i32>(code), 0u, BITS)); }
#else
fn level_of(code: u32) -> f32 { return f32(code); }
#endif

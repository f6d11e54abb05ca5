// Before bytes.wgsl. Levels of an int8 format, which are its codes.
// Four codes as numbers: 2^23 + code + 128 is a float whose last bits are those of the code.
fn levels_of(word: u32) -> vec4f {
  let shifted = vec4u(word, word >> 8u, word >> 16u, word >> 24u) ^ vec4u(0x80u);
  return bitcast<vec4f>((shifted & vec4u(0xffu)) | vec4u(0x4b000000u)) - 8388736.0;
}

fn int8_codes(row: u32, i: u32) -> vec4u { return load_chunk(row, i); }

// After int4.wgsl, where words are in sequence. Levels as bytes, for inputs of int8.

// Of the four nibbles in the low 16 bits.
fn bytes_of(bits: u32) -> u32 {
  let two = (bits | (bits << 8u)) & 0x00ff00ffu;
  let four = (two | (two << 4u)) & 0x0f0f0f0fu;
#if SIGNED
  return (((four ^ 0x08080808u) | 0x80808080u) - 0x08080808u) ^ 0x80808080u;
#else
  return ((four | 0x80808080u) - 0x08080808u) ^ 0x80808080u;
#endif
}

fn int8_codes(row: u32, i: u32) -> vec4u {
  let first = word(row, i / 2u, i % 2u * 2u);
  let second = word(row, i / 2u, i % 2u * 2u + 1u);
  return vec4u(bytes_of(first & 0xffffu), bytes_of(first >> 16u), bytes_of(second & 0xffffu), bytes_of(second >> 16u));
}

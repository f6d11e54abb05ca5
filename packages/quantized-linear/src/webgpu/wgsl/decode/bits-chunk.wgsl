// After bits.wgsl, for codes along K. A chunk is 32 codes, which are BITS words.
alias Chunk = array<u32, BITS>;

fn load_chunk(row: u32, chunk: u32) -> Chunk {
  let at = row * ROW_WORDS + chunk * BITS;
  return Chunk(
#for w in 0..BITS
    codes_at(at + ${w}u),
#end
  );
}

#for i in 0..4
fn levels$i(chunk: Chunk) -> Levels {
#for e in 0..8
  const bit$e = (8u * ${i}u + ${e}u) * BITS;
  const next$e = min(bit$e / 32u + 1u, BITS - 1u);
  let bits$e = (chunk[bit$e / 32u] >> (bit$e % 32u)) | ((chunk[next$e] << 1u) << (31u - bit$e % 32u));
  let level$e = level_of(bits$e & MASK);
#end
  return Levels(vec4f(level0, level1, level2, level3), vec4f(level4, level5, level6, level7));
}
#end

// After codes.wgsl. Codes of $BITS bits, from the lowest bit of a word on, one after another along $ALONG, also
// across words: rows of words along K, or columns of them along N. `level_of` says what number a code is.
const BITS = ${BITS}u;
const MASK = (1u << BITS) - 1u;
const ROW_WORDS = (K * BITS + 31u) / 32u;

fn code(row: u32, k: u32) -> u32 {
#if ALONG == N
  let bit = row * BITS;
  let at = bit / 32u * K + k;
  const STEP = K;
#else
  let bit = k * BITS;
  let at = row * ROW_WORDS + bit / 32u;
  const STEP = 1u;
#endif
  let low = codes_at(at) >> (bit % 32u);
#if STRADDLES
  // Twice, as a word cannot be shifted by 32 bits.
  return (low | ((codes_at(at + STEP) << 1u) << (31u - bit % 32u))) & MASK;
#else
  return low & MASK;
#endif
}

fn level(row: u32, k: u32) -> f32 { return level_of(code(row, k)); }

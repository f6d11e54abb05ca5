// After int4-half2.wgsl and int4.wgsl, before matrix.wgsl. The right side of a product of matrices: an item is
// one word of each of four rows.
struct RightItem { bits: vec4u, q: Qparams }

// Word i of the chunk at k.
fn load_right(n: u32, k: u32, i: u32) -> RightItem {
  let row = min(n, (params.rows - 1u) / 4u * 4u);
  let chunk = k / 32u;
  let bits = vec4u(word(row, chunk, i), word(row + 1u, chunk, i), word(row + 2u, chunk, i), word(row + 3u, chunk, i));
  return RightItem(bits, qparams(params.first + row, group_of(chunk)));
}

// Nibbles 0 and 4, 1 and 5, 2 and 6, 3 and 7 of each row.
fn right_cells(item: RightItem) -> array<vec2<H>, 16> {
#for r in 0..4
  let bits$r = item.bits[$r];
#if HALF_QPARAMS
  let scale$r = vec2<H>(H(item.q.scale[$r]));
  let zero$r = vec2<H>(H(item.q.zero[$r]));
  let two${r}_0 = fma(first_pair(bits$r), scale$r, zero$r);
  let two${r}_1 = fma(second_pair(bits$r), scale$r, zero$r);
  let two${r}_2 = fma(first_pair(bits$r >> 8u), scale$r, zero$r);
  let two${r}_3 = fma(second_pair(bits$r >> 8u), scale$r, zero$r);
#else
  let zero$r = item.q.zero[$r] - LEVEL_OFFSET * item.q.scale[$r];
  let low$r = vec4<H>(low_codes(bits$r) * item.q.scale[$r] + zero$r);
  let high$r = vec4<H>(high_codes(bits$r) * item.q.scale[$r] + zero$r);
#for j in 0..4
  let two${r}_$j = vec2<H>(low$r[$j], high$r[$j]);
#end
#endif
#end
  return array<vec2<H>, 16>(
#for r in 0..4
#for j in 0..4
    two${r}_$j,
#end
#end
  );
}

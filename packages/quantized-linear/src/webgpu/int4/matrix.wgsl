// Many rows of the input, multiplied as matrices of subgroups: both sides as @ao/kernels-webgpu/matrices asks for
// them. An item of the weight is one word of each of four rows.
alias Cell = H;
alias Element = f32;
struct RightItem { bits: vec4u, q: Qparams }

fn count_m() -> u32 { return params.m; }
fn count_n() -> u32 { return params.rows; }

fn load_left(m: u32, k: u32) -> Eight { return eight((m * PIECES * 32u + k) / 8u); }
fn left_cells(x: Eight) -> array<vec2<H>, 4> {
  return array<vec2<H>, 4>(x.low.xy, x.low.zw, x.high.xy, x.high.zw);
}

// Word i of the piece at k.
fn load_right(n: u32, k: u32, i: u32) -> RightItem {
  let row = min(n, (params.rows - 1u) / 4u * 4u);
  let piece = k / 32u;
  let bits = vec4u(word(row, piece, i), word(row + 1u, piece, i), word(row + 2u, piece, i), word(row + 3u, piece, i));
  return RightItem(bits, qparams(params.first + row, piece / GROUP_PIECES));
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
  let zero$r = item.q.zero[$r] - 24.0 * item.q.scale[$r];
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

fn take(m: u32, n: u32, four: vec4f) { write(m, params.first + n, params.first + params.rows, four); }

// After a decoder that has `levels4` in sequence, before matrix.wgsl. The right side of a product of matrices: an
// item is eight neighbours of one row; with SCALES_RESULTS their levels, and results are scaled.
struct RightItem { levels: Levels, scale: f32, zero: f32 }

fn load_right(n: u32, k: u32, slot: u32) -> RightItem {
  let chunk = k / CHUNK;
  let j = k % CHUNK / 4u;
  let q = qparams(params.first + n / 4u * 4u, group_of(chunk));
  return RightItem(Levels(levels4(n, chunk, j), levels4(n, chunk, j + 1u)), q.scale[n % 4u], q.zero[n % 4u]);
}

fn right_cells(item: RightItem) -> array<vec2<H>, 4> {
#if SCALES_RESULTS
  let low = vec4<H>(item.levels.low - LEVEL_OFFSET);
  let high = vec4<H>(item.levels.high - LEVEL_OFFSET);
#else
  let zero = item.zero - LEVEL_OFFSET * item.scale;
  let low = vec4<H>(item.levels.low * item.scale + zero);
  let high = vec4<H>(item.levels.high * item.scale + zero);
#endif
  return array<vec2<H>, 4>(low.xy, low.zw, high.xy, high.zw);
}

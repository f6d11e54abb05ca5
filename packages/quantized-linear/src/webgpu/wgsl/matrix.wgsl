// After a decoder's right side and input.wgsl, before matrix.wgsl of @ao/kernels-webgpu. Many rows of the input,
// multiplied as matrices of subgroups: the left side, and what becomes of results.
alias Cell = H;
alias Element = f32;

fn count_m() -> u32 { return params.m; }
fn count_n() -> u32 { return params.rows; }

fn load_left(m: u32, k: u32) -> Eight { return eight((m * CHUNKS * CHUNK + k) / 8u); }
fn left_cells(x: Eight) -> array<vec2<H>, 4> {
  return array<vec2<H>, 4>(x.low.xy, x.low.zw, x.high.xy, x.high.zw);
}

fn take(m: u32, n: u32, four: vec4f) {
#if SCALES_RESULTS
  let sums = four * qparams(params.first + n, 0u).scale;
#else
  let sums = four;
#endif
  write(m, params.first + n, params.first + params.rows, sums);
}

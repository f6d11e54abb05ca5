// Many rows of the input, multiplied as matrices of subgroups: both sides as @ao/kernels-webgpu/matrices asks for
// them. An item of the weight is one word of each of four rows.
alias Cell = H;
alias Element = f32;
struct RightItem { bits: vec4u, q: Qparams }

fn count_m() -> u32 { return params.m; }
fn count_n() -> u32 { return params.rows; }

fn load_left(m: u32, k: u32) -> Eight { return eight((m * PIECES * 32u + k) / 8u); }

// Word i of the piece at k.
fn load_right(n: u32, k: u32, i: u32) -> RightItem {
  let row = min(n, (params.rows - 1u) / 4u * 4u);
  let piece = k / 32u;
  let bits = vec4u(word(row, piece, i), word(row + 1u, piece, i), word(row + 2u, piece, i), word(row + 3u, piece, i));
  return RightItem(bits, qparams(params.first + row, piece / GROUP_PIECES));
}

fn take(m: u32, n: u32, four: vec4f) { write(m, params.first + n, params.first + params.rows, four); }

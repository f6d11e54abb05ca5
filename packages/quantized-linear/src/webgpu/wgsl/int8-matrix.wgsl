// After int8-input.wgsl and output.wgsl, before matrix.wgsl of @ao/kernels-webgpu. Many rows of an input of int8,
// multiplied as matrices of subgroups: both sides as words of four codes.
alias Cell = i32;
alias Element = i32;
struct Item { bits: vec4u }

fn count_m() -> u32 { return params.m; }
fn count_n() -> u32 { return params.rows; }

fn load_left(m: u32, k: u32) -> Item { return Item(x_codes(m, k / 16u)); }
fn load_right(n: u32, k: u32, slot: u32) -> Item { return Item(int8_codes(n, k / 16u)); }
fn cells_of(item: Item) -> array<vec2i, 2> { return array<vec2i, 2>(bitcast<vec2i>(item.bits.xy), bitcast<vec2i>(item.bits.zw)); }
fn left_cells(item: Item) -> array<vec2i, 2> { return cells_of(item); }
fn right_cells(item: Item) -> array<vec2i, 2> { return cells_of(item); }

fn take(m: u32, n: u32, four: vec4i) {
  write(m, params.first + n, params.first + params.rows, scaled(m, params.first + n, four, vec4i()));
}

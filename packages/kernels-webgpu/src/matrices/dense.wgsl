// After numbers.wgsl and stored.wgsl, before matrix-types.wgsl. A dense product of float16: x (m, K) with the
// weight (N, K).
@group(0) @binding(0) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read> weight: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
#if BIAS
@group(0) @binding(3) var<storage, read> bias: array<u32>;
#endif

// The weight is bound from row `first` on, with `rows` of its `all` rows.
struct Params { m: u32, all: u32, first: u32, rows: u32 }
@group(1) @binding(0) var<uniform> params: Params;

alias Cell = $H;
alias Element = f32;
struct Item { bits: vec4u }

fn count_m() -> u32 { return params.m; }
fn count_n() -> u32 { return params.rows; }
fn load_left(m: u32, k: u32) -> Item { return Item(x[(m * ${K}u + k) / 8u]); }
fn load_right(n: u32, k: u32, slot: u32) -> Item { return Item(weight[(n * ${K}u + k) / 8u]); }

fn cells_of(item: Item) -> array<vec2<Cell>, 4> {
  return array<vec2<Cell>, 4>(
#for i in 0..4
#if H == f16
    bitcast<vec2<f16>>(item.bits[$i]),
#else
    unpack2x16float(item.bits[$i]),
#endif
#end
  );
}
fn left_cells(item: Item) -> array<vec2<Cell>, 4> { return cells_of(item); }
fn right_cells(item: Item) -> array<vec2<Cell>, 4> { return cells_of(item); }

// The output has an even number of columns.
fn take(m: u32, n: u32, four: vec4f) {
  var value = four;
#if BIAS
#for i in 0..4
  value[$i] += bias_at(min(params.first + n + ${i}u, params.all - 1u));
#end
#endif
  let at = (m * params.all + params.first + n) / 2u;
  let bits = float16_store(value);
  y[at] = bits.x;
  if (n + 2u < params.rows) { y[at + 1u] = bits.y; }
}

#if BIAS
fn bias_at(i: u32) -> f32 { return ${BIAS}_at(bias[i / ${BIAS}_per_word], i); }
#endif

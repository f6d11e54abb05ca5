// What matrices of subgroups do, by each thread alone.
struct Left { v: array<Element, M * DEPTH> }
struct Right { v: array<Element, DEPTH * N> }
struct Result { v: array<Element, M * N> }

#if CODES
fn left_number(at: u32) -> i32 { return extractBits(x[at / 4u], 8u * (at % 4u), 8u); }
fn right_number(at: u32) -> i32 { return extractBits(weight[at / 4u], 8u * (at % 4u), 8u); }
#else
fn left_number(at: u32) -> f32 { return tokens_tile[at]; }
fn right_number(at: u32) -> f32 { return rows_tile[at]; }
#endif

fn left_of(at: u32, stride: u32) -> Left {
  var left: Left;
  for (var i = 0u; i < M * DEPTH; i++) { left.v[i] = left_number(at + i / DEPTH * stride + i % DEPTH); }
  return left;
}

fn right_of(at: u32, stride: u32) -> Right {
  var right: Right;
  for (var i = 0u; i < N * DEPTH; i++) { right.v[i] = right_number(at + i / DEPTH * stride + i % DEPTH); }
  return right;
}

fn multiplied(left: Left, right: Right, sum: Result) -> Result {
  var a = left;
  var b = right;
  var result = sum;
  for (var i = 0u; i < M * N; i++) {
    for (var k = 0u; k < DEPTH; k++) { result.v[i] += a.v[i / N * DEPTH + k] * b.v[i % N * DEPTH + k]; }
  }
  return result;
}

fn write(at: u32, sum: Result) {
  var values = sum;
  for (var i = 0u; i < M * N; i++) { results[at + i] = values.v[i]; }
}

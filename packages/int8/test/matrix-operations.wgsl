// What matrices of subgroups do, by each thread alone.
struct Left { at: u32, stride: u32 } // where the numbers lie
struct Right { at: u32, stride: u32 }
struct Result { v: array<Element, M * N> }

#if CODES
fn left_number(at: u32) -> i32 { return extractBits(x[at / 4u], 8u * (at % 4u), 8u); }
fn right_number(at: u32) -> i32 { return extractBits(weight[at / 4u], 8u * (at % 4u), 8u); }
#else
fn left_number(at: u32) -> f32 { return tokens_tile[at]; }
fn right_number(at: u32) -> f32 { return rows_tile[at]; }
#endif

fn left_of(at: u32, stride: u32) -> Left { return Left(at, stride); }

fn right_of(at: u32, stride: u32) -> Right { return Right(at, stride); }

fn multiplied(left: Left, right: Right, sum: Result) -> Result {
  var result = sum;
  for (var i = 0u; i < M * N; i++) {
    for (var k = 0u; k < DEPTH; k++) {
      result.v[i] += left_number(left.at + i / N * left.stride + k) * right_number(right.at + i % N * right.stride + k);
    }
  }
  return result;
}

fn write(at: u32, sum: Result) {
  var values = sum;
  for (var i = 0u; i < M * N; i++) { results[at + i] = values.v[i]; }
}

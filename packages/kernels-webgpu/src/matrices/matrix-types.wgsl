// After what the product brings, before matrix.wgsl. Matrices of subgroups, or what stands in for them.
#if ALONE
// What matrices of subgroups do, by each thread, to test what is around them.
struct Left { v: array<Element, M_SIZE * K_SIZE> }
struct Right { v: array<Element, K_SIZE * N_SIZE> }
struct Result { v: array<Element, M_SIZE * N_SIZE> }

#if PER_CELL == 4
fn element(cell: i32, k: u32) -> i32 { return extractBits(cell, k % 4u * 8u, 8u); }
#else
fn element(cell: f32, k: u32) -> f32 { return cell; }
#endif

fn load_left_matrix(buffer: u32, part: u32, at: u32) -> Left {
  var left: Left;
  for (var i = 0u; i < M_SIZE * K_SIZE; i++) {
    left.v[i] = element(left_tile[buffer][part][at + i / K_SIZE * STRIDE + i % K_SIZE / PER_CELL], i % K_SIZE);
  }
  return left;
}

fn load_right_matrix(buffer: u32, part: u32, at: u32) -> Right {
  var right: Right;
  for (var i = 0u; i < K_SIZE * N_SIZE; i++) {
    right.v[i] = element(right_tile[buffer][part][at + i % N_SIZE * STRIDE + i / N_SIZE / PER_CELL], i / N_SIZE);
  }
  return right;
}

fn multiply_add(left: Left, right: Right, sums: Result) -> Result {
  var a = left;
  var b = right;
  var result = sums;
  for (var i = 0u; i < M_SIZE * N_SIZE * K_SIZE; i++) {
    let k = i % K_SIZE;
    let at = i / K_SIZE;
    result.v[at] += a.v[at / N_SIZE * K_SIZE + k] * b.v[k * N_SIZE + at % N_SIZE];
  }
  return result;
}

fn store_result(subgroup: u32, sums: Result) {
  var result = sums;
  for (var i = 0u; i < M_SIZE * N_SIZE; i++) { results[subgroup][i] = result.v[i]; }
}
#else
#if PER_CELL == 4
alias Left = subgroup_matrix_left<i8, K_SIZE, M_SIZE>;
alias Right = subgroup_matrix_right<i8, N_SIZE, K_SIZE>;
alias Result = subgroup_matrix_result<i32, N_SIZE, M_SIZE>;
#else
alias Left = subgroup_matrix_left<f16, K_SIZE, M_SIZE>;
alias Right = subgroup_matrix_right<f16, N_SIZE, K_SIZE>;
alias Result = subgroup_matrix_result<f32, N_SIZE, M_SIZE>;
#endif
#endif

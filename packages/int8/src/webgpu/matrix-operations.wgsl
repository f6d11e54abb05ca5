// What matrices of subgroups do. All of a subgroup have the same `at`, which compilers cannot tell.
#if CODES
alias Left = subgroup_matrix_left<i8, DEPTH, M>;
alias Right = subgroup_matrix_right<i8, N, DEPTH>;
alias Result = subgroup_matrix_result<i32, N, M>;
#else
alias Left = subgroup_matrix_left<f16, DEPTH, M>;
alias Right = subgroup_matrix_right<f16, N, DEPTH>;
alias Result = subgroup_matrix_result<f32, N, M>;
#endif

// Tokens, or rows of the weight, from element `at` on, `stride` elements apart.
@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn left_of(at: u32, stride: u32) -> Left {
#if CODES
  return subgroupMatrixLoad<Left, row_major>(&x, at, stride);
#else
  return subgroupMatrixLoad<Left, row_major>(&tokens_tile, at, stride);
#endif
}

@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn right_of(at: u32, stride: u32) -> Right {
#if CODES
  return subgroupMatrixLoad<Right, col_major>(&weight, at, stride);
#else
  return subgroupMatrixLoad<Right, col_major>(&rows_tile, at, stride);
#endif
}

@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn multiplied(left: Left, right: Right, sum: Result) -> Result {
  return subgroupMatrixMultiplyAccumulate(left, right, sum);
}

@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn write(at: u32, sum: Result) { subgroupMatrixStore<row_major>(&results, at, sum, N); }

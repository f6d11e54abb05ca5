// After tensor.wgsl for bias and residual, before the kernel. The output: rows of N numbers of $Y_DTYPE, and
// what is done with sums before they are written.
#if Y_DTYPE == float32
@group(0) @binding($Y_BINDING) var<storage, read_write> y_: array<f32>;
#else
@group(0) @binding($Y_BINDING) var<storage, read_write> y_: array<u32>;
#endif

#if SECOND
// Products with two weights, as one.
fn joined(a: vec4f, b: vec4f) -> vec4f { return $JOIN; }
#endif

// Writes output `m` of rows `row` to `row + 3`; `end` is the end of the rows that are there.
fn write(m: u32, row: u32, end: u32, sums: vec4f) {
  var y = sums;
#if bias
  y += bias4(row);
#endif
#if residual
  y += residual4(m * N + row);
#endif
  let at = m * N + row;
#if Y_DTYPE == float32
  y_[at] = y.x;
  if (row + 1u < end) { y_[at + 1u] = y.y; }
  if (row + 2u < end) { y_[at + 2u] = y.z; }
  if (row + 3u < end) { y_[at + 3u] = y.w; }
#else
  y_[at / 2u] = $Y_BITS(y.x) | ($Y_BITS(y.y) << 16u);
  if (row + 2u < end) { y_[at / 2u + 1u] = $Y_BITS(y.z) | ($Y_BITS(y.w) << 16u); }
#endif
}

// After tensor.wgsl for x and norm. Rows of x, normalized: a workgroup for each.
@group(0) @binding($y_BINDING) var<storage, read_write> y_: array<f32>;

struct Params { rows: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const THREADS = 256u;
var<workgroup> squares: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) { return; }
  let first = row * ${K}u;
  var sum = 0.0;
  for (var k = thread; k < ${K}u; k += THREADS) { sum += x1(first + k) * x1(first + k); }
  squares[thread] = sum;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { squares[thread] += squares[thread + half]; }
  }
  workgroupBarrier();
  let scale = inverseSqrt(squares[0] / f32(${K}u) + $NORM_EPS);
  for (var k = thread; k < ${K}u; k += THREADS) { y_[first + k] = x1(first + k) * scale * norm1(k); }
}

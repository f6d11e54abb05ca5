// After arithmeticWgsl. Rows of the input as float8_e4m3fn leaves them, with a scale for each: a workgroup rounds
// a row.
@group(0) @binding($x_BINDING) var<storage, read> input: array<u32>;
@group(0) @binding($y_BINDING) var<storage, read_write> y_: array<f32>;

struct Params { rows: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const THREADS = 256u;
var<workgroup> peaks: array<f32, THREADS>;

fn number(i: u32) -> f32 { return value_${x_DTYPE}(input[i / PER_WORD], i); }
const PER_WORD = 4u / ${x_SIZE}u;

// x rounded to a float8_e4m3fn: three bits behind the leading one, from 2^-6 on; ties to even.
fn round_float8(x: f32) -> f32 {
  let exponent = clamp(i32((bitcast<u32>(x) >> 23u) & 255u) - 127, -6, 8);
  let last = bitcast<f32>(u32(exponent - 3 + 127) << 23u); // what the last bit counts
  let steps = round(abs(x) / last);
  return sign(x) * min(steps * last, 448.0);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) { return; }
  let first = row * ${K}u;
  var peak = 0.001953125;
  for (var k = thread; k < ${K}u; k += THREADS) { peak = max(peak, abs(number(first + k))); }
  peaks[thread] = peak;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { peaks[thread] = max(peaks[thread], peaks[thread + half]); }
  }
  workgroupBarrier();
  let scale = divide(peaks[0], 448.0);
  for (var k = thread; k < ${K}u; k += THREADS) {
    y_[first + k] = round_float8(divide(number(first + k), scale)) * scale;
  }
}

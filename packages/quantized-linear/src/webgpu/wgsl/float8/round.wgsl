// After format.wgsl. Blocks of neighbours as float8 leaves them: a workgroup rounds a block.
@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> rounded: array<f32>;

struct Params { blocks: u32, length: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const THREADS = ${THREADS}u;
var<workgroup> peaks: array<u32, THREADS>;

fn number(i: u32) -> f32 { return value_$IN(input[i / $IN_PER_WORD], i); }

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let block = group.y * groups.x + group.x;
  if (block >= params.blocks) { return; }
  let first = block * params.length;
  var peak = 0u;
  for (var i = thread; i < params.length; i += THREADS) { peak = max(peak, bitcast<u32>(number(first + i)) & 0x7fffffffu); }
  peaks[thread] = peak;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { peaks[thread] = max(peaks[thread], peaks[thread + half]); }
  }
  workgroupBarrier();
  let scale = scale_of_peak(peaks[0]);
  for (var i = thread; i < params.length; i += THREADS) {
    rounded[first + i] = multiply(value_$FLOAT8(code_of(number(first + i), divisor(scale)), 0u), scale);
  }
}

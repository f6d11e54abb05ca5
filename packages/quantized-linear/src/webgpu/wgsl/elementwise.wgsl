// After tensor.wgsl for a and b. $EXPRESSION of elements a, b: one a thread.
@group(0) @binding($y_BINDING) var<storage, read_write> y_: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= arrayLength(&y_)) { return; }
  let a = a1(i);
#if b
  let b = b1(i);
#endif
  y_[i] = $EXPRESSION;
}

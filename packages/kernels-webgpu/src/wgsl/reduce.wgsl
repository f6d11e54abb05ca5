// First, or after stored.wgsl. Sums and maxima over a workgroup of THREADS invocations, which all must call.
// `size` is the subgroup's, of no account where there are none.

const THREADS = ${THREADS}u;

var<workgroup> reduce_parts: array<f32, THREADS>;

#if SUBGROUPS
fn workgroup_sum(value: f32, lane: u32, size: u32) -> f32 {
  let part = subgroupAdd(value);
  workgroupBarrier(); // the last result may still be read
  if (lane % size == 0u) { reduce_parts[lane / size] = part; }
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < THREADS / size; i++) { sum += reduce_parts[i]; }
  return sum;
}

fn workgroup_max(value: f32, lane: u32, size: u32) -> f32 {
  let part = subgroupMax(value);
  workgroupBarrier();
  if (lane % size == 0u) { reduce_parts[lane / size] = part; }
  workgroupBarrier();
  var most = reduce_parts[0];
  for (var i = 1u; i < THREADS / size; i++) { most = max(most, reduce_parts[i]); }
  return most;
}
#else
fn workgroup_sum(value: f32, lane: u32, size: u32) -> f32 {
  workgroupBarrier();
  reduce_parts[lane] = value;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { reduce_parts[lane] += reduce_parts[lane + half]; }
  }
  workgroupBarrier();
  return reduce_parts[0];
}

fn workgroup_max(value: f32, lane: u32, size: u32) -> f32 {
  workgroupBarrier();
  reduce_parts[lane] = value;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { reduce_parts[lane] = max(reduce_parts[lane], reduce_parts[lane + half]); }
  }
  workgroupBarrier();
  return reduce_parts[0];
}
#endif

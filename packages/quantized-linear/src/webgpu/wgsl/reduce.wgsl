// Before gemv.wgsl and batch.wgsl. Sums across the LANES neighbouring threads that share rows of the weight;
// subgroups hold at least SUBGROUP threads, and neighbours are in one.
const THREADS = ${THREADS}u;
const LANES = ${LANES}u;
const SUBGROUP = ${SUBGROUP}u;

#if !IN_SUBGROUP
var<workgroup> partial_sums: array<vec4f, THREADS / SUBGROUP>;
#endif

fn sum_of_lanes(thread: u32, own: vec4f) -> vec4f {
  var sum = own;
#for i in 0..SUBGROUP_STEPS
  sum += subgroupShuffleXor(sum, 1u << ${i}u);
#end
#if !IN_SUBGROUP
  workgroupBarrier();
  if (thread % SUBGROUP == 0u) { partial_sums[thread / SUBGROUP] = sum; }
  workgroupBarrier();
  sum = vec4f();
  let first = thread / LANES * (LANES / SUBGROUP);
  for (var i = 0u; i < LANES / SUBGROUP; i++) { sum += partial_sums[first + i]; }
#endif
  return sum;
}

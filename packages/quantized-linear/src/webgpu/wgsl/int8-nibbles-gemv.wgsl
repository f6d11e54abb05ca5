// Last, after reduce.wgsl. One row of an input of int8, with codes of four bits in sequence: LANES threads share the
// chunks of four rows of the weight. A level is its nibble less 8.
const ONES = 0x01010101u;

// Codes of the input that meet nibbles 0, 2, 4 and 6 of each of four words, and those that meet the others.
struct Codes { even: vec4u, odd: vec4u }

fn codes_of(chunk: u32) -> Codes {
  let a = x_codes(0u, 2u * chunk);
  let b = x_codes(0u, 2u * chunk + 1u);
  let low = vec4u(a.x, a.z, b.x, b.z);
  let high = vec4u(a.y, a.w, b.y, b.w);
  return Codes(
    bytes_0_2(low) | (bytes_0_2(high) << vec4u(16u)),
    bytes_0_2(low >> vec4u(8u)) | (bytes_0_2(high >> vec4u(8u)) << vec4u(16u)));
}

fn bytes_0_2(words: vec4u) -> vec4u {
  let two = words & vec4u(0x00ff00ffu);
  return (two | (two >> vec4u(8u))) & vec4u(0xffffu);
}

fn sum_of_products(a: vec4u, b: vec4u) -> i32 {
  return dot4(a.x, b.x) + dot4(a.y, b.y) + dot4(a.z, b.z) + dot4(a.w, b.w);
}

// Sums of a chunk: of products with levels, and of levels.
fn sums_of(chunk: Chunk, x: Codes, code_sum: i32) -> vec2i {
#if SIGNED
  let words = chunk ^ vec4u(0x88888888u);
#else
  let words = chunk;
#endif
  let even = words & vec4u(0x0f0f0f0fu);
  let odd = (words >> vec4u(4u)) & vec4u(0x0f0f0f0fu);
  let products = sum_of_products(even, x.even) + sum_of_products(odd, x.odd) - 8 * code_sum;
#if ASYMMETRIC
  // Eight nibbles are at most 120: bytes do not overflow.
  let eight = even + odd;
  return vec2i(products, dot4(eight.x + eight.y + eight.z + eight.w, ONES) - 256);
#else
  return vec2i(products, 0);
#endif
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let quad = (group.y * groups.x + group.x) * (THREADS / LANES) + thread / LANES;
  let row = min(4u * quad, (params.rows - 1u) / 4u * 4u);
  var sums = vec4f();
  // A load comes before all that need not wait for it.
  var chunk = thread % LANES;
#for r in 0..4
  var w$r = load_chunk(row + ${r}u, chunk);
#end
  var q = qparams(params.first + row, group_of(chunk));
  while (chunk < CHUNKS) {
    let x = codes_of(chunk);
    let code_sum = sum_of_products(x.even, vec4u(ONES)) + sum_of_products(x.odd, vec4u(ONES));
#for r in 0..4
    let s$r = sums_of(w$r, x, code_sum);
#end
    let products = vec4i(s0.x, s1.x, s2.x, s3.x);
    sums += share(0u, q, products, vec4i(s0.y, s1.y, s2.y, s3.y), f32(code_sum), 32u);
    chunk += LANES;
    if (chunk >= CHUNKS) { break; }
#for r in 0..4
    w$r = load_chunk(row + ${r}u, chunk);
#end
    q = qparams(params.first + row, group_of(chunk));
  }
  sums = sum_of_lanes(thread, sums);
  if (thread % LANES == 0u && 4u * quad < params.rows) {
    write(0u, params.first + row, params.first + params.rows, sums);
  }
}

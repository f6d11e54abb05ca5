// After numbers.wgsl and stored.wgsl. a $OP b, four elements of the result a thread.
@group(0) @binding(0) var<storage, read> a: array<A_VALUE>;
@group(0) @binding(1) var<storage, read> b: array<B_VALUE>;
@group(0) @binding(2) var<storage, read_write> y: array<${Y}_4>;
#if BROADCAST

alias A_VALUE = u32;
alias B_VALUE = u32;

// Sizes and strides from the last dimension on; 0 is the stride of what is repeated.
struct Params {
  n: u32,
  shape: array<vec4u, 2>,
  a_strides: array<vec4u, 2>,
  b_strides: array<vec4u, 2>,
}
@group(1) @binding(0) var<uniform> params: Params;

fn value(i: u32) -> f32 {
  var rest = min(i, params.n - 1u);
  var at = vec2u();
#for d in 0..RANK
  {
    let size = params.shape[$d / 4][$d % 4];
    at += rest % size * vec2u(params.a_strides[$d / 4][$d % 4], params.b_strides[$d / 4][$d % 4]);
    rest = rest / size;
  }
#end
  return ${A}_at(a[at.x / ${A}_per_word], at.x) $OP ${B}_at(b[at.y / ${B}_per_word], at.y);
}

fn values(i: u32) -> vec4f {
  return vec4f(value(4u * i), value(4u * i + 1u), value(4u * i + 2u), value(4u * i + 3u));
}
#else

alias A_VALUE = ${A}_4;
alias B_VALUE = ${B}_4;

struct Params { n: u32 }
@group(1) @binding(0) var<uniform> params: Params;

fn values(i: u32) -> vec4f { return ${A}_load(a[i]) $OP ${B}_load(b[i]); }
#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i * 4u >= params.n) { return; }
  y[i] = ${Y}_store(values(i));
}

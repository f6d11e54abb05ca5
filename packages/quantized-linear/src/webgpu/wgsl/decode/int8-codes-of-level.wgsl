// After a decoder whose levels are integers from -128 to 127, and that has no `int8_codes`.
fn int8_level(row: u32, k: u32) -> u32 { return bitcast<u32>(i32(level(row, k))) & 0xffu; }

fn int8_codes(row: u32, i: u32) -> vec4u {
  let k = 16u * i;
#for w in 0..4
#for j in 0..4
  let byte_${w}_$j = int8_level(row, k + 4u * ${w}u + ${j}u) << (8u * ${j}u);
#end
  let word$w = byte_${w}_0 | byte_${w}_1 | byte_${w}_2 | byte_${w}_3;
#end
  return vec4u(word0, word1, word2, word3);
}

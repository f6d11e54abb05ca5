// After a decoder that has `levels4`, but not `load_chunk`: a chunk is read where its levels are asked for.
struct Chunk { row: u32, index: u32 }

fn load_chunk(row: u32, chunk: u32) -> Chunk { return Chunk(row, chunk); }

#for i in 0..EIGHTS
fn levels$i(chunk: Chunk) -> Levels {
  return Levels(levels4(chunk.row, chunk.index, 2u * ${i}u), levels4(chunk.row, chunk.index, 2u * ${i}u + 1u));
}
#end

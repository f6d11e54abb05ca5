#for c in 0..4
      left_tile[buffer][left_part$t][left_at$t + ${c}u] = left$t.low[$c];
#end
#for c in 0..4
      left_tile[buffer][left_part$t][left_at$t + 4u + ${c}u] = left$t.high[$c];
#end

// Nibbles 0 and 4, 1 and 5, 2 and 6, 3 and 7 of each row.
#for r in 0..4
      {
        let bits = right$t.bits[$r];
#if HALF_QPARAMS
        let scale = vec2<H>(H(right$t.q.scale[$r]));
        let zero = vec2<H>(H(right$t.q.zero[$r]));
        let two0 = fma(first_pair(bits), scale, zero);
        let two1 = fma(second_pair(bits), scale, zero);
        let two2 = fma(first_pair(bits >> 8u), scale, zero);
        let two3 = fma(second_pair(bits >> 8u), scale, zero);
#else
        let zero = right$t.q.zero[$r] - 24.0 * right$t.q.scale[$r];
        let low = vec4<H>(low_codes(bits) * right$t.q.scale[$r] + zero);
        let high = vec4<H>(high_codes(bits) * right$t.q.scale[$r] + zero);
#for j in 0..4
        let two$j = vec2<H>(low[$j], high[$j]);
#end
#endif
#for j in 0..4
        right_tile[buffer][right_part$t][right_at$t + ${r}u * STRIDE + ${NIBBLE_STEP}u * ${j}u] = two$j.x;
        right_tile[buffer][right_part$t][right_at$t + ${r}u * STRIDE + ${NIBBLE_STEP}u * ${j}u + ${HALF_STEP}u] = two$j.y;
#end
      }
#end

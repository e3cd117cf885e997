/* The rest of kernel_cases.h's array: what the kernels of devices are particular about. Networks of attention, recurrent networks, TopK, rows
 * that move to computed places, folds, determinants, sums of products. */
  /* Transposed convolutions without overlap: lines of 16, 64 and 128 pixels, of others, of one dimension. */
  {LOOSE, X4(2, 40, 4, 16) "const w: float32[40,64,2,2] = random(3)\nconst b: float32[64] = random(4)\n"
          "y = ConvTranspose(x, w, b) {strides=[2,2] act=Relu}"},
  {LOOSE, X4(1, 72, 3, 64) "const w: float32[72,128,2,2] = random(3)\ny = ConvTranspose(x, w) {strides=[2,2]}"},
  {LOOSE, X4(1, 24, 5, 128) "const w: float32[24,72,3,2] = random(3)\nconst b: float32[72] = random(4)\ny = ConvTranspose(x, w, b) {strides=[3,2]}"},
  {LOOSE, X4(3, 16, 7, 6) "const w: float32[16,32,2,2] = random(3)\ny = ConvTranspose(x, w) {strides=[2,2] act=LeakyRelu act_alpha=0.1}"},
  {LOOSE, "input x: float32[2,16,32]\nconst w: float32[16,64,4] = random(3)\nconst b: float32[64] = random(4)\n"
          "y = ConvTranspose(x, w, b) {strides=[4]}"},
  /* Windows along columns, of images of one column and of two: lines of a pixel, of which a tile would take more than the copy engine's 256. */
  {LOOSE, X4(2, 64, 301, 1) "const w: float32[72,64,5,1] = random(3)\nconst b: float32[72] = random(4)\ny = Conv(x, w, b) {pads=[2,0,2,0] act=Relu}"},
  {LOOSE, X4(1, 64, 90, 2) "const w: float32[40,64,3,1] = random(3)\ny = Conv(x, w) {dilations=[2,1]}"},
  /* Convolutions of points to few channels: one to eight of them, channels that don't fill a step, several blocks, one dimension. */
  {LOOSE, X4(1, 64, 37, 29) "const w: float32[2,64,1,1] = random(3)\nconst b: float32[2] = random(4)\ny = Conv(x, w, b)"},
  {LOOSE, X4(2, 136, 9, 15) "const w: float32[8,136,1,1] = random(3)\nconst b: float32[8] = random(4)\n"
          "y = Conv(x, w, b) {act=LeakyRelu act_alpha=0.1}"},
  {LOOSE, X4(3, 24, 5, 7) "const w: float32[1,24,1,1] = random(3)\ny = Conv(x, w) {act=Relu}"},
  {LOOSE, "input x: float32[2,40,300]\nconst w: float32[5,40,1] = random(3)\nconst b: float32[5] = random(4)\ny = Conv(x, w, b)"},
  /* Convolutions of points that memory binds: channels in pieces of 8 and 16 bytes, whole chunks and not, groups of outputs whole and not, more tiles
   * than warps, residuals, one dimension. */
  {LOOSE, X4(2, 16, 61, 53) "const w: float32[96,16,1,1] = random(3)\nconst b: float32[96] = random(4)\ny = Conv(x, w, b) {act=Clip act_beta=6}"},
  {LOOSE, X4(1, 24, 47, 43) "const w: float32[144,24,1,1] = random(3)\nconst b: float32[144] = random(4)\ny = Conv(x, w, b)"},
  {LOOSE, X4(3, 144, 11, 13) "const w: float32[24,144,1,1] = random(3)\nconst b: float32[24] = random(4)\ninput r: float32[3,24,11,13]\n"
          "y = Conv(x, w, b, r)"},
  {LOOSE, X4(1, 96, 17, 9) "const w: float32[40,96,1,1] = random(3)\ninput r: float32[1,40,17,9]\ny = Conv(x, w, _, r) {act=Silu}"},
  {LOOSE, X4(1, 8, 19, 23) "const w: float32[8,8,1,1] = random(3)\ny = Conv(x, w) {act=Relu}"},
  {LOOSE, X4(2, 56, 7, 10) "const w: float32[64,56,1,1] = random(3)\nconst b: float32[64] = random(4)\ny = Conv(x, w, b) {act=Gelu}"},
  {LOOSE, X4(1, 256, 8, 9) "const w: float32[72,256,1,1] = random(3)\ny = Conv(x, w)"},
  {LOOSE, "input x: float32[2,32,130]\nconst w: float32[16,32,1] = random(3)\nconst b: float32[16] = random(4)\ny = Conv(x, w, b) {act=HardSwish}"},
  /* Depthwise: windows with holes and steps, of 7x7, of one line. */
  {LOOSE, X4(2, 24, 11, 13) "const w: float32[24,1,5,3] = random(3)\nconst b: float32[24] = random(4)\ninput r: float32[2,24,4,13]\n"
          "y = Conv(x, w, b, r) {group=24 pads=[2,3,2,3] dilations=[2,3] strides=[2,1] act=Silu}"},
  {LOOSE, X4(1, 12, 9, 8) "const w: float32[12,1,7,7] = random(3)\ny = Conv(x, w) {group=12 pads=[3,3,3,3] strides=[2,2]}"},
  {LOOSE, X4(2, 40, 14, 15) "const w: float32[40,1,5,5] = random(3)\nconst b: float32[40] = random(4)\ninput r: float32[2,40,14,15]\n"
          "y = Conv(x, w, b, r) {group=40 pads=[2,2,2,2] act=HardSwish}"},
  {LOOSE, X4(1, 24, 13, 19) "const w: float32[24,1,3,3] = random(3)\ny = Conv(x, w) {group=24 pads=[2,2,2,2] dilations=[2,2] act=Clip "
          "act_alpha=-0.5 act_beta=0.5}"},
  /* Attention: of a ViT, split along the keys, wide heads, ranks 2, no keys. */
  {LOOSE, "input q: float32[1,12,197,64]\ninput k: float32[1,12,197,64]\ninput v: float32[1,12,197,64]\ny = FusedAttention(q, k, v)"},
  {LOOSE, "input q: float32[1,2,3,64]\ninput k: float32[1,2,1030,64]\ninput v: float32[1,2,1030,64]\ny = FusedAttention(q, k, v)"},
  {LOOSE, "input q: float32[1,1,20,64]\ninput k: float32[1,1,197,64]\ninput v: float32[1,1,197,64]\ny = FusedAttention(q, k, v)"},
  {LOOSE, "input q: float32[1,1,37,64]\ninput k: float32[1,1,700,64]\ninput v: float32[1,1,700,64]\nconst p: int64[] = {640}\n"
          "y = FusedAttention(q, k, v, _, _, p) {causal=1 left=600}"},
  {LOOSE, "input q: float32[1,2,70,128]\ninput k: float32[1,1,90,128]\ninput v: float32[1,1,90,128]\ny = FusedAttention(q, k, v) {causal=1}"},
  {LOOSE, "input q: float32[1,1,70,200]\ninput k: float32[1,1,90,200]\ninput v: float32[1,1,90,300]\ny = FusedAttention(q, k, v)"},
  /* More than 128 queries, a last tile of a few keys, masks of all queries and of each, a scale that turns scores around. */
  {LOOSE, "input q: float32[2,2,133,64]\ninput k: float32[2,2,133,64]\ninput v: float32[2,2,133,64]\ninput m: float32[2,1,1,133]\n"
          "y = FusedAttention(q, k, v, m)"},
  {LOOSE, "input q: float32[1,2,131,32]\ninput k: float32[1,2,80,32]\ninput v: float32[1,2,80,64]\ninput m: float32[2,131,80]\n"
          "y = FusedAttention(q, k, v, m)"},
  {LOOSE, "input q: float32[1,2,140,80]\ninput k: float32[1,1,150,80]\ninput v: float32[1,1,150,96]\n"
          "y = FusedAttention(q, k, v) {causal=1 scale=-0.1}"},
  {LOOSE, "input q: float32[1,1,33,512]\ninput k: float32[1,1,40,512]\ninput v: float32[1,1,40,512]\ny = FusedAttention(q, k, v)"},
  {LOOSE, "input q: float32[1,1,70,256]\ninput k: float32[1,1,70,256]\ninput v: float32[1,1,70,256]\ny = FusedAttention(q, k, v)"},
  {LOOSE, "input q: float32[5,7]\ninput k: float32[9,7]\ninput v: float32[9,3]\ny = FusedAttention(q, k, v)"},
  {LOOSE, "input q: float32[2,3,5,8]\ninput k: float32[1,3,0,8]\ninput v: float32[1,3,0,8]\ny = FusedAttention(q, k, v)"},
  /* Recurrent networks with other activations, clip, peepholes, many units, no steps. */
  {LOOSE, "input x: float32[4,2,24]\nconst w: float32[1,99,24] = random(3)\nconst r: float32[1,99,33] = random(4)\n"
          "const b: float32[1,198] = random(5)\ny, h = GRU(x, w, r, b) {hidden_size=33 clip=0.6 activations=[\"HardSigmoid\",\"Softsign\"]}"},
  {LOOSE, "input x: float32[4,2,24]\nconst w: float32[2,80,24] = random(3)\nconst r: float32[2,80,20] = random(4)\n"
          "const b: float32[2,160] = random(5)\nconst q: float32[2,60] = random(6)\n"
          "y, h, c = LSTM(x, w, r, b, _, _, _, q) {hidden_size=20 clip=0.6 direction=\"bidirectional\" input_forget=1 "
          "activations=[\"Sigmoid\",\"Tanh\",\"Relu\",\"Elu\",\"Affine\",\"LeakyRelu\"]}"},
  {LOOSE, "input x: float32[4,1,24]\nconst w: float32[1,80,24] = random(3)\nconst r: float32[1,80,20] = random(4)\n"
          "input h0: float32[1,1,20]\nconst q: float32[1,60] = random(6)\n_, y2, c = LSTM(x, w, r, _, _, h0, _, q) {hidden_size=20}"},
  {LOOSE, "input x: float32[2,1,24]\nconst w: float32[1,1560,24] = random(3)\nconst r: float32[1,1560,520] = random(4)\n"
          "const b: float32[1,3120] = random(5)\ninput h0: float32[1,1,520]\ny, h = GRU(x, w, r, b, _, h0) {hidden_size=520}"},
  {LOOSE, "input x: float32[3,9,24]\nconst w: float32[1,2080,24] = random(3)\nconst r: float32[1,2080,520] = random(4)\n"
          "const b: float32[1,4160] = random(5)\nconst l: int32[9] = {1, 3, 2, 3, 0, 3, 3, 3, 2}\n"
          "y, h, c = LSTM(x, w, r, b, l) {hidden_size=520}"},
  {LOOSE, "input x: float32[0,3,24]\nconst w: float32[1,80,24] = random(3)\nconst r: float32[1,80,20] = random(4)\n"
          "input h0: float32[1,3,20]\ny, h, c = LSTM(x, w, r, _, _, h0) {hidden_size=20}"},
  /* TopK: along any axis, all, few of many, sorted as a whole; floats that sort oddly, integers. */
  {EXACT, "input x: float32[3,40,7]\nconst k: int64[1] = {5}\ny, i = TopK(x, k) {axis=1}"},
  {EXACT, "input s: float32[9,64]\nconst k: int64[1] = {64}\ny, i = TopK(s, k) {largest=0}"},
  {EXACT, "input s: float32[2,9000]\nconst k: int64[1] = {300}\ny, i = TopK(s, k)"},
  {EXACT, "input x: float32[1,5000]\nconst k: int64[1] = {5000}\ny, i = TopK(x, k)"},
  {EXACT, "input x: float32[2,9000]\nconst k: int64[1] = {2000}\ny, i = TopK(x, k)"},
  {EXACT, "input x: float32[2,50000]\nconst k: int64[1] = {1000}\n_, y2 = TopK(x, k)"},
  {EXACT, "input x: int32[5,300]\nconst k: int64[1] = {20}\ny, i = TopK(x, k)"},
  {EXACT, "input x: uint8[5,300]\nconst k: int64[1] = {20}\ny, i = TopK(x, k) {largest=0}"},
  {EXACT, "input x: int8[5,1]\nconst k: int64[1] = {1}\ny, i = TopK(x, k) {largest=0}"},
  /* Rows that move to computed places. */
  {EXACT, "input x: float32[5,6,7]\nconst n: int64[6] = {1,2,3,0,5,4}\ny = ReverseSequence(x, n)"},
  {EXACT, "input x: float32[5,6,8]\nconst n: int64[5] = {1,2,3,0,6}\ny = ReverseSequence(x, n) {batch_axis=0 time_axis=1}"},
  {EXACT, "input x: float32[2,3,8,5]\ninput u: float32[2,3,3,5]\nconst n: int64[2] = {1,5}\ny = TensorScatter(x, u, n)"},
  {EXACT, "input x: float32[2,3,8,8]\ninput u: float32[2,3,3,8]\nconst n: int64[2] = {6,-1}\ny = TensorScatter(x, u, n) {mode=\"circular\"}"},
  {EXACT, "input x: float32[2,9,8]\ninput u: float32[2,9,8]\ny = TensorScatter(x, u)"},
  {EXACT, "input x: float32[5,6,7]\nconst n: int64[3] = {3,9,7}\ny = CenterCropPad(x, n)"},
  {EXACT, "input x: int64[5,6,8]\nconst n: int64[1] = {4}\ny = CenterCropPad(x, n) {axes=[-1]}"},
  /* Images put together from blocks and from their greatest; a deformed convolution of several tiles. */
  {CLOSE, "input x: float32[2,12,12]\nconst m: int64[2] = {7,9}\nconst b: int64[2] = {2,3}\ny = Col2Im(x, m, b) {strides=[2,3] pads=[0,1,1,1]}"},
  {CLOSE, "input x: float32[2,12,35]\nconst m: int64[2] = {6,9}\nconst b: int64[2] = {2,3}\ny = Col2Im(x, m, b)"},
  {CLOSE, "input x: float32[2,6,9]\nconst m: int64[1] = {13}\nconst b: int64[1] = {3}\ny = Col2Im(x, m, b) {dilations=[2]}"},
  {EXACT, "input x: float32[1,1,2,2]\nconst i: int64[1,1,2,2] = {5,7,13,15}\ny = MaxUnpool(x, i) {kernel_shape=[2,2] strides=[2,2]}"},
  {EXACT, "input x: float32[1,1,2,2]\nconst i: int64[1,1,2,2] = {5,7,13,15}\nconst o: int64[4] = {1,1,5,5}\n"
          "y = MaxUnpool(x, i, o) {kernel_shape=[2,2] strides=[2,2]}"},
  {LOOSE, "input x: float32[2,70,9,10]\nconst w: float32[80,70,3,3] = random(3)\ninput o: float32[2,18,9,10]\n"
          "y = DeformConv(x, w, o) {pads=[1,1,1,1]}"},
  /* Determinants. */
  {LOOSE, "input x: float32[3,2,5,5]\ny = Det(x)"},
  {LOOSE, "input x: float32[40,40]\ny = Det(x)"},
  {LOOSE, "const x: float32[2,3,3] = {1,2,3,4,5,6,7,8,10, 0,1,0,1,0,0,0,0,0}\ny = Det(x)"},
  {LOOSE, "input x: float32[2,1,1]\ny = Det(x)"},
  /* Sums of products. */
  {LOOSE, "input x: float32[2,3,70,33]\ninput z: float32[2,3,65,33]\ny = Einsum(x, z) {equation=\"bhid,bhjd->bhij\"}"},
  {LOOSE, "input x: float32[7,33]\ninput z: float32[5,33,6]\ny = Einsum(x, z) {equation=\"ik,bkj->jbi\"}"},
  {LOOSE, "input x: float32[7,33]\ny = Einsum(x) {equation=\"ik->k\"}"},
  {LOOSE, "input x: float32[7,7,3]\ny = Einsum(x) {equation=\"iij->ji\"}"},
  {LOOSE, "input x: float32[7]\ninput z: float32[5]\ny = Einsum(x, z) {equation=\"i,j\"}"},
  {LOOSE, "input x: float32[2,7,8]\ninput z: float32[1,8,5]\ny = Einsum(x, z) {equation=\"...ij,...jk->...ik\"}"},
  {LOOSE, "input x: float32[7,8]\ninput z: float32[7,8]\ny = Einsum(x, z) {equation=\"ij,ij->\"}"},
  {LOOSE, "input x: float32[2,0]\ninput z: float32[0,3]\ny = Einsum(x, z) {equation=\"ij,jk->ik\"}"},
  /* Many rows: vectors of some threads are fewer. */
  {LOOSE, "input x: float32[2200,520]\nconst g: float32[520] = random(3)\nconst b: float32[520] = random(4)\ny = LayerNormalization(x, g, b)"},
  /* Turned features; attention with a state. */
  {CLOSE, "input x: float32[2,4,7,16]\ninput c: float32[2,7,8]\ninput t: float32[2,7,8]\ny = RotaryEmbedding(x, c, t)"},
  {CLOSE, "input x: float32[2,7,64]\ninput c: float32[1,7,6]\ninput t: float32[1,7,6]\n"
          "y = RotaryEmbedding(x, c, t) {num_heads=4 rotary_embedding_dim=12 interleaved=1}"},
  {CLOSE, "input x: float32[2,4,3,16]\ninput c: float32[20,8]\ninput t: float32[20,8]\nconst p: int64[2,3] = {0,5,19,7,7,1}\n"
          "y = RotaryEmbedding(x, c, t, p)"},
  {CLOSE, "input x: float32[2,4,3,16]\ninput c: float32[20,8]\ninput t: float32[20,8]\nconst p: int32[2,3] = {0,5,19,7,7,1}\n"
          "y = RotaryEmbedding(x, c, t, p)"},
  {LOOSE, "input q: float32[2,9,48]\ninput k: float32[2,9,24]\ninput v: float32[2,9,80]\n"
          "y, y2 = LinearAttention(q, k, v) {q_num_heads=4 kv_num_heads=2 update_rule=\"linear\"}"},
  {LOOSE, "const q: float32[2,4,16] = random(1)\nconst k: float32[2,4,16] = random(2)\nconst v: float32[2,4,10] = random(3)\n"
          "const h: float32[2,2,8,5] = random(4)\nconst b: float32[2,4,2] = random(5)\n"
          "y, z = LinearAttention(q, k, v, h, _, b) {q_num_heads=2 kv_num_heads=2 update_rule=\"delta\" scale=0.5}"},
  {LOOSE, "const q: float32[2,4,16] = random(1)\nconst k: float32[2,4,16] = random(2)\nconst v: float32[2,4,10] = random(3)\n"
          "const d: float32[2,4,16] = random(4)\nconst b: float32[2,4,1] = random(5)\n"
          "y, z = LinearAttention(q, k, v, _, d, b) {q_num_heads=2 kv_num_heads=2 update_rule=\"gated_delta\"}"},
  {LOOSE, "const q: float32[2,4,16] = random(1)\nconst k: float32[2,4,8] = random(2)\nconst v: float32[2,4,100] = random(3)\n"
          "const d: float32[2,4,1] = random(4)\ny = LinearAttention(q, k, v, _, d) {q_num_heads=2 kv_num_heads=1 update_rule=\"gated\"}"},
  /* Positions that affine matrices give. */
  {CLOSE, "input x: float32[2,2,3]\nconst n: int64[4] = {2,3,5,7}\ny = AffineGrid(x, n)"},
  {CLOSE, "input x: float32[2,3,4]\nconst n: int64[5] = {2,3,5,1,6}\ny = AffineGrid(x, n) {align_corners=1}"},

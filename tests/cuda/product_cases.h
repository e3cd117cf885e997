/* Cases for the CUDA kernels of products, as tests/backend/kernel_cases.h has them, in float16, bfloat16 and float32. Included in an array of
 * {tolerance, text} by whoever defines the tolerances: HALVES, BFLOATS, and TF32 for float32, which some rows round to tf32. */
  /* Convolutions as products. */
  {HALVES, "input x: float16[2,16,9,11]\nconst w: float16[24,16,3,3] = random(3)\nconst b: float16[24] = random(4)\n"
          "y = Conv(x, w, b) {pads=[1,1,1,1] act=1}"},
  {BFLOATS, "input x: bfloat16[1,24,9,11]\nconst w: bfloat16[70,24,1,1] = random(3)\nconst b: bfloat16[70] = random(4)\n"
          "input r: bfloat16[1,70,9,11]\ny = Conv(x, w, b, r) {act=1}"},
  {HALVES, "input x: float16[2,64,13,12]\nconst w: float16[64,64,3,3] = random(3)\ninput r: float16[2,64,7,6]\n"
          "y = Conv(x, w, _, r) {pads=[1,1,1,1] strides=[2,2]}"},
  {HALVES, "input x: float16[1,256,7,7]\nconst w: float16[72,256,3,3] = random(3)\ny = Conv(x, w) {pads=[1,1,1,1]}"},
  {HALVES, "input x: float16[1,13,8,9]\nconst w: float16[19,13,3,2] = random(3)\nconst b: float16[19] = random(4)\n"
          "y = Conv(x, w, b) {pads=[0,1,2,1] dilations=[2,1]}"},
  {HALVES, "input x: float16[2,36,8,9]\nconst w: float16[20,18,3,3] = random(3)\nconst b: float16[20] = random(4)\n"
          "y = Conv(x, w, b) {group=2 pads=[1,1,1,1]}"},
  {HALVES, "input x: float16[1,64,8,9]\nconst w: float16[64,4,3,3] = random(3)\nconst b: float16[64] = random(4)\n"
          "y = Conv(x, w, b) {group=16 pads=[1,1,1,1]}"},
  {BFLOATS, "input x: bfloat16[1,160,6,5]\nconst w: bfloat16[320,40,3,3] = random(3)\ny = Conv(x, w) {group=4 pads=[1,1,1,1]}"},
  {HALVES, "input x: float16[2,24,50]\nconst w: float16[40,24,5] = random(3)\ny = Conv(x, w) {pads=[2,1] strides=[2] dilations=[2]}"},
  {HALVES, "input x: float16[2,20,5,6,7]\nconst w: float16[24,20,3,2,3] = random(3)\ny = Conv(x, w) {pads=[1,0,1,1,1,1] strides=[1,2,1]}"},
  {HALVES, "input x: float16[1,16,7,7]\nconst w: float16[16,16,1,1] = random(3)\ny = Conv(x, w) {strides=[2,2]}"},
  {HALVES, "input x: float16[1,3,7,7]\nconst w: float16[5,3,7,7] = random(3)\ny = Conv(x, w) {auto_pad=\"SAME_UPPER\" strides=[2,2]}"},
  {HALVES, "input x: float16[1,12,5,5,5]\nconst w: float16[16,12,1,1,1] = random(3)\ny = Conv(x, w)"},
  {TF32, "input x: float32[2,20,9,11]\nconst w: float32[24,20,3,3] = random(3)\nconst b: float32[24] = random(4)\n"
          "input r: float32[2,24,9,11]\ny = Conv(x, w, b, r) {pads=[1,1,1,1] act=1}"},
  {TF32, "input x: float32[1,13,8,9]\nconst w: float32[19,13,3,2] = random(3)\nconst b: float32[19] = random(4)\n"
          "y = Conv(x, w, b) {pads=[0,1,2,1] dilations=[2,1]}"},
  {TF32, "input x: float32[1,128,5,7]\nconst w: float32[48,128,3,3] = random(3)\ny = Conv(x, w) {pads=[1,1,1,1]}"},
  {HALVES, "input x: float16[1,32,9,9]\nconst w: float16[32,32,3,3] = random(3)\nconst b: float16[32] = random(4)\n"
          "y = Conv(x, w, b) {pads=[1,1,1,1] act=6}"},
  {HALVES, "input x: float16[1,32,9,9]\nconst w: float16[32,32,3,3] = random(3)\nconst b: float16[32] = random(4)\n"
          "y = Conv(x, w, b) {pads=[1,1,1,1] act=2 act_alpha=0.0 act_beta=6.0}"},
  {TF32, "input x: float32[1,32,9,9]\nconst w: float32[32,32,3,3] = random(3)\nconst b: float32[32] = random(4)\n"
          "y = Conv(x, w, b) {pads=[1,1,1,1] act=9}"},
  /* Products of matrices. */
  {HALVES, "input x: float16[3,37,72]\nconst w: float16[72,40] = random(3)\nconst b: float16[40] = random(4)\ny = MatMul(x, w, b) {act=1}"},
  {HALVES, "input x: float16[3,37,75]\nconst w: float16[75,41] = random(3)\nconst b: float16[41] = random(4)\ninput r: float16[3,37,41]\n"
          "y = MatMul(x, w, b, r) {alpha=0.5}"},
  {HALVES, "input x: float16[2,3,37,72]\ninput w: float16[2,3,72,40]\ny = MatMul(x, w) {alpha=0.25}"},
  {HALVES, "input x: float16[2,3,37,72]\ninput w: float16[3,40,72]\ninput b: float16[2,1,37,40]\ny = MatMul(x, w, b) {trans_b=1}"},
  {HALVES, "input x: float16[2,1,37,72]\ninput w: float16[3,72,40]\ninput b: float16[37,1]\ny = MatMul(x, w, b)"},
  {HALVES, "input x: float16[2,3,72,37]\ninput w: float16[72,40]\ny = MatMul(x, w) {trans_a=1}"},
  {HALVES, "input x: float16[2,3,70,37]\ninput w: float16[2,1,70,43]\ny = MatMul(x, w) {trans_a=1}"},
  {HALVES, "input x: float16[72]\ninput w: float16[72,40]\ny = MatMul(x, w)"},
  {HALVES, "input x: float16[5,72]\ninput w: float16[72]\ny = MatMul(x, w)"},
  {HALVES, "input x: float16[72]\ninput w: float16[72]\ny = MatMul(x, w)"},
  {HALVES, "input x: float16[4,5,72]\nconst w: float16[72] = random(3)\ny = MatMul(x, w)"},
  {HALVES, "input x: float16[4,1,72]\nconst w: float16[4,72,33] = random(3)\ny = MatMul(x, w)"},
  {HALVES, "input x: float16[1,2000]\nconst w: float16[2000,100] = random(3)\nconst b: float16[100] = random(4)\ny = MatMul(x, w, b)"},
  {BFLOATS, "input x: bfloat16[200,600]\nconst w: bfloat16[600,200] = random(3)\nconst b: bfloat16[200] = random(4)\ny = MatMul(x, w, b)"},
  {HALVES, "input x: float16[7,0]\nconst w: float16[0,9] = random(3)\nconst b: float16[9] = random(4)\ny = MatMul(x, w, b)"},
  {HALVES, "input x: float16[0,7]\nconst w: float16[7,9] = random(3)\ny = MatMul(x, w)"},
  {TF32, "input x: float32[3,37,73]\nconst w: float32[73,41] = random(3)\nconst b: float32[41] = random(4)\ny = MatMul(x, w, b) {act=1}"},
  {TF32, "input x: float32[2,3,37,72]\ninput w: float32[2,3,72,40]\ny = MatMul(x, w) {alpha=0.25}"},
  {TF32, "input x: float32[2,3,37,70]\ninput w: float32[3,41,70]\ninput b: float32[2,1,37,41]\ny = MatMul(x, w, b) {trans_b=1}"},
  {TF32, "input x: float32[2,3,72,37]\ninput w: float32[72,40]\ny = MatMul(x, w) {trans_a=1}"},
  {TF32, "input x: float32[1,2000]\nconst w: float32[2000,100] = random(3)\nconst b: float32[100] = random(4)\ny = MatMul(x, w, b)"},
  /* Products of few rows. */
  {HALVES, "input x: float16[3,2,72]\nconst w: float16[72,40] = random(3)\nconst b: float16[40] = random(4)\ny = MatMul(x, w, b) {act=1}"},
  {HALVES, "input x: float16[3,5,75]\nconst w: float16[75,41] = random(3)\nconst b: float16[41] = random(4)\ninput r: float16[3,5,41]\n"
          "y = MatMul(x, w, b, r) {alpha=0.5}"},
  {HALVES, "input x: float16[4,1,72]\nconst w: float16[4,72,33] = random(3)\ny = MatMul(x, w)"},
  {HALVES, "input x: float16[1,5000]\nconst w: float16[5000,100] = random(3)\nconst b: float16[100] = random(4)\ny = MatMul(x, w, b)"},
  {HALVES, "input x: float16[11,1500]\nconst w: float16[130,1500] = random(3)\nconst b: float16[130] = random(4)\ny = MatMul(x, w, b) {trans_b=1}"},
  {BFLOATS, "input x: bfloat16[2000]\nconst w: bfloat16[2000,130] = random(3)\ny = MatMul(x, w)"},
  {HALVES, "input x: float16[4,5,72]\nconst w: float16[72] = random(3)\ny = MatMul(x, w)"},
  {TF32, "input x: float32[3,5,75]\nconst w: float32[75,41] = random(3)\nconst b: float32[41] = random(4)\ninput r: float32[3,5,41]\n"
          "y = MatMul(x, w, b, r) {alpha=0.5}"},
  {TF32, "input x: float32[1,3000]\nconst w: float32[3000,100] = random(3)\nconst b: float32[100] = random(4)\ny = MatMul(x, w, b)"},
  {TF32, "input x: float32[11,1500]\nconst w: float32[130,1500] = random(3)\nconst b: float32[130] = random(4)\ny = MatMul(x, w, b) {trans_b=1}"},
  {HALVES, "input x: float16[7,0]\nconst w: float16[0,9] = random(3)\nconst b: float16[9] = random(4)\ny = MatMul(x, w, b)"},
  /* Convolutions of few channels. */
  {HALVES, "input x: float16[2,3,37,45]\nconst w: float16[64,3,7,7] = random(3)\nconst b: float16[64] = random(4)\n"
          "y = Conv(x, w, b) {pads=[3,3,3,3] strides=[2,2] act=1}"},
  {BFLOATS, "input x: bfloat16[2,1,19,20]\nconst w: bfloat16[16,1,3,3] = random(3)\ny = Conv(x, w) {pads=[1,1,1,1]}"},
  {HALVES, "input x: float16[1,3,70,71]\nconst w: float16[72,3,11,11] = random(3)\nconst b: float16[72] = random(4)\n"
          "y = Conv(x, w, b) {pads=[2,2,2,2] strides=[4,4]}"},
  {HALVES, "input x: float16[1,4,20,18]\nconst w: float16[24,4,3,2] = random(3)\ny = Conv(x, w) {pads=[0,1,2,1] dilations=[2,1]}"},
  {HALVES, "input x: float16[1,2,20,40]\nconst w: float16[35,2,5,5] = random(3)\ny = Conv(x, w) {auto_pad=\"SAME_UPPER\" strides=[1,3]}"},
  {HALVES, "input x: float16[1,3,40,33]\nconst w: float16[32,3,3,3] = random(3)\nconst b: float16[32] = random(4)\n"
          "y = Conv(x, w, b) {pads=[0,0,1,1] strides=[2,2] act=2 act_alpha=0.0 act_beta=6.0}"},
  {HALVES, "input x: float16[3,3,33,50]\nconst w: float16[64,3,3,3] = random(3)\nconst b: float16[64] = random(4)\n"
          "y = Conv(x, w, b) {pads=[1,1,1,1] act=1}"},
  {HALVES, "input x: float16[1,3,50,70]\nconst w: float16[40,3,5,7] = random(3)\ny = Conv(x, w) {pads=[2,5,1,3] strides=[3,6] act=9}"},
  {HALVES, "input x: float16[1,1,40,21]\nconst w: float16[96,1,1,1] = random(3)\nconst b: float16[96] = random(4)\ny = Conv(x, w, b)"},
  {BFLOATS, "input x: bfloat16[1,4,30,61]\nconst w: bfloat16[17,4,4,9] = random(3)\ny = Conv(x, w) {pads=[3,0,2,4] strides=[1,5]}"},
  {TF32, "input x: float32[2,3,37,45]\nconst w: float32[64,3,7,7] = random(3)\nconst b: float32[64] = random(4)\n"
          "y = Conv(x, w, b) {pads=[3,3,3,3] strides=[2,2] act=1}"},
  {TF32, "input x: float32[1,3,20,18]\nconst w: float32[13,3,3,3] = random(3)\ny = Conv(x, w) {pads=[1,1,1,1]}"},
  /* Depthwise convolutions. */
  {HALVES, "input x: float16[2,72,13,14]\nconst w: float16[72,1,3,3] = random(3)\nconst b: float16[72] = random(4)\n"
          "y = Conv(x, w, b) {group=72 pads=[1,1,1,1] act=1}"},
  {HALVES, "input x: float16[2,16,13,14]\nconst w: float16[16,1,3,3] = random(3)\ny = Conv(x, w) {group=16 pads=[0,1,1,0] strides=[2,2]}"},
  {BFLOATS, "input x: bfloat16[1,144,9,7]\nconst w: bfloat16[144,1,5,5] = random(3)\nconst b: bfloat16[144] = random(4)\n"
          "input r: bfloat16[1,144,9,7]\ny = Conv(x, w, b, r) {group=144 pads=[2,2,2,2]}"},
  {HALVES, "input x: float16[1,21,19,17]\nconst w: float16[21,1,7,7] = random(3)\ny = Conv(x, w) {group=21 pads=[3,3,3,3]}"},
  {HALVES, "input x: float16[1,24,19,17]\nconst w: float16[24,1,3,3] = random(3)\ny = Conv(x, w) {group=24 pads=[3,3,3,3] dilations=[3,3]}"},
  {HALVES, "input x: float16[1,24,19,17]\nconst w: float16[24,1,3,2] = random(3)\n"
          "y = Conv(x, w) {group=24 pads=[3,3,3,3] dilations=[2,3] strides=[1,2]}"},
  {HALVES, "input x: float16[3,40,50]\nconst w: float16[40,1,9] = random(3)\ny = Conv(x, w) {group=40 pads=[4,4]}"},
  {TF32, "input x: float32[2,20,13,14]\nconst w: float32[20,1,3,3] = random(3)\nconst b: float32[20] = random(4)\n"
          "y = Conv(x, w, b) {group=20 pads=[1,1,1,1] act=1}"},
  {TF32, "input x: float32[1,19,13,14]\nconst w: float32[19,1,5,5] = random(3)\ninput r: float32[1,19,7,7]\n"
          "y = Conv(x, w, _, r) {group=19 pads=[2,2,2,2] strides=[2,2]}"},
  /* Transposed convolutions. */
  {HALVES, "input x: float16[2,24,9,7]\nconst w: float16[24,40,2,2] = random(3)\nconst b: float16[40] = random(4)\n"
          "y = ConvTranspose(x, w, b) {strides=[2,2] act=1}"},
  {HALVES, "input x: float16[1,72,5,6]\nconst w: float16[72,20,3,3] = random(3)\nconst b: float16[20] = random(4)\n"
          "y = ConvTranspose(x, w, b) {strides=[2,2] pads=[1,1,1,1] output_padding=[1,1]}"},
  {BFLOATS, "input x: bfloat16[1,16,5,6]\nconst w: bfloat16[16,20,4,4] = random(3)\ninput r: bfloat16[1,20,10,12]\n"
          "y = ConvTranspose(x, w, _, r) {strides=[2,2] pads=[1,1,1,1]}"},
  {HALVES, "input x: float16[1,16,5,6]\nconst w: float16[16,20,3,3] = random(3)\ny = ConvTranspose(x, w) {pads=[1,0,1,2] dilations=[2,1]}"},
  {HALVES, "input x: float16[1,16,5,6]\nconst w: float16[16,12,2,3] = random(3)\ny = ConvTranspose(x, w) {strides=[3,4] group=2}"},
  {HALVES, "input x: float16[2,20,11]\nconst w: float16[20,24,5] = random(3)\ny = ConvTranspose(x, w) {strides=[2]}"},
  {HALVES, "input x: float16[1,21,4,4]\nconst w: float16[21,21,16,16] = random(3)\ny = ConvTranspose(x, w) {strides=[8,8] pads=[4,4,4,4]}"},
  {HALVES, "input x: float16[1,16,5,6]\nconst w: float16[16,20,3,3] = random(3)\ny = ConvTranspose(x, w) {strides=[2,2] dilations=[3,2]}"},
  {HALVES, "input x: float16[1,6,3,4,3]\nconst w: float16[6,5,2,3,2] = random(3)\nconst b: float16[10] = random(4)\n"
          "y = ConvTranspose(x, w, b) {strides=[2,2,1] group=2 act=1}"},
  {HALVES, "input x: float16[1,16,5,6]\nconst w: float16[16,8,3,3] = random(3)\ny = ConvTranspose(x, w) {strides=[2,2] auto_pad=\"SAME_UPPER\"}"},
  {TF32, "input x: float32[2,24,9,7]\nconst w: float32[24,40,2,2] = random(3)\nconst b: float32[40] = random(4)\n"
          "y = ConvTranspose(x, w, b) {strides=[2,2] act=1}"},
  {TF32, "input x: float32[1,13,5,6]\nconst w: float32[13,20,3,3] = random(3)\ninput r: float32[1,20,9,11]\n"
          "y = ConvTranspose(x, w, _, r) {strides=[2,2] pads=[1,1,1,1]}"},

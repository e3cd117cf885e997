/* More cases for the CUDA kernels of products, in the form of product_cases.h: sizes that make many tiles, windows of all kinds, channels
 * that slices share, operands that lie transposed. */
  /* Convolutions: gathered by windows. */
  {HALVES, "input x: float16[2,64,8,8]\nconst w: float16[72,64,1,1] = random(3)\nconst b: float16[72] = random(4)\ny = Conv(x, w, b)"},
  {HALVES, "input x: float16[1,64,12,9]\nconst w: float16[40,64,5,3] = random(3)\n"
          "y = Conv(x, w) {pads=[0,2,3,1] strides=[1,2] dilations=[1,3] act=3 act_alpha=0.1}"},
  {BFLOATS, "input x: bfloat16[1,128,10,10]\nconst w: bfloat16[136,128,3,3] = random(3)\ninput r: bfloat16[1,136,10,10]\n"
          "y = Conv(x, w, _, r) {pads=[2,2,2,2] dilations=[2,2]}"},
  {HALVES, "input x: float16[5,64,3,3]\nconst w: float16[64,64,3,3] = random(3)\ny = Conv(x, w) {pads=[0,1,2,0] strides=[3,3]}"},
  {HALVES, "input x: float16[1,8,15,9]\nconst w: float16[24,8,7,7] = random(3)\ny = Conv(x, w) {pads=[3,3,3,3] strides=[2,2] act=1}"},
  {HALVES, "input x: float16[1,16,9,9]\nconst w: float16[64,16,3,3] = random(3)\ninput r: float16[1,64,9,9]\n"
          "y = Conv(x, w, _, r) {pads=[1,1,1,1] act=1}"},
  {HALVES, "input x: float16[1,24,9,9]\nconst w: float16[48,24,3,3] = random(3)\ny = Conv(x, w) {pads=[1,1,1,1]}"},
  {HALVES, "input x: float16[1,40,9,9]\nconst w: float16[80,40,3,3] = random(3)\ny = Conv(x, w) {pads=[1,0,1,1] strides=[2,1]}"},
  {HALVES, "input x: float16[1,96,9,9]\nconst w: float16[64,96,3,3] = random(3)\ny = Conv(x, w) {pads=[1,1,1,1] act=1}"},
  {HALVES, "input x: float16[1,2048,3,3]\nconst w: float16[64,2048,1,1] = random(3)\ninput r: float16[1,64,3,3]\ny = Conv(x, w, _, r)"},
  {HALVES, "input x: float16[1,64,9,9]\nconst w: float16[255,64,1,1] = random(3)\ninput r: float16[1,255,9,9]\ny = Conv(x, w, _, r) {act=4}"},
  {HALVES, "input x: float16[1,64,30,30]\nconst w: float16[24,64,3,3] = random(3)\ny = Conv(x, w) {pads=[1,1,1,1] strides=[9,9]}"},
  {HALVES, "input x: float16[4,64,28,28]\nconst w: float16[264,64,1,1] = random(3)\ny = Conv(x, w) {act=1}"},
  {HALVES, "input x: float16[1,64,40]\nconst w: float16[64,64,3] = random(3)\ny = Conv(x, w) {pads=[1,1]}"},
  /* Patches: whole lines and strips of them, padding between images. */
  {HALVES, "input x: float16[2,64,30,56]\nconst w: float16[64,64,3,3] = random(3)\ninput r: float16[2,64,30,56]\n"
          "y = Conv(x, w, _, r) {pads=[1,1,1,1] act=1}"},
  {HALVES, "input x: float16[2,64,37,100]\nconst w: float16[72,64,3,3] = random(3)\nconst b: float16[72] = random(4)\n"
          "y = Conv(x, w, b) {pads=[1,1,1,1]}"},
  {BFLOATS, "input x: bfloat16[1,136,20,90]\nconst w: bfloat16[136,136,3,3] = random(3)\ny = Conv(x, w) {pads=[1,1,1,1] act=6}"},
  {HALVES, "input x: float16[1,64,20,90]\nconst w: float16[33,64,3,3] = random(3)\ninput r: float16[1,33,20,90]\n"
          "y = Conv(x, w, _, r) {pads=[2,3,2,3] dilations=[2,3]}"},
  {HALVES, "input x: float16[3,64,14,14]\nconst w: float16[64,64,3,3] = random(3)\ny = Conv(x, w)"},
  {HALVES, "input x: float16[3,64,14,14]\nconst w: float16[64,64,2,3] = random(3)\ny = Conv(x, w) {pads=[2,0,0,3]}"},
  {HALVES, "input x: float16[3,64,7,7]\nconst w: float16[200,64,5,5] = random(3)\ny = Conv(x, w) {pads=[2,2,2,2]}"},
  {HALVES, "input x: float16[3,64,40,7]\nconst w: float16[64,64,1,5] = random(3)\ny = Conv(x, w) {pads=[0,2,0,2]}"},
  /* Products of matrices. */
  {HALVES, "input x: float16[1,512]\nconst w: float16[512,1000] = random(3)\nconst b: float16[1000] = random(4)\ny = MatMul(x, w, b)"},
  {HALVES, "input x: float16[197,192]\nconst w: float16[200,192] = random(3)\nconst b: float16[200] = random(4)\ninput r: float16[197,200]\n"
          "y = MatMul(x, w, b, r) {trans_b=1 act=9 alpha=0.5}"},
  {HALVES, "input x: float16[2,3,50,72]\ninput w: float16[2,3,72,136]\ninput b: float16[136]\ninput r: float16[2,3,50,136]\n"
          "y = MatMul(x, w, b, r) {act=1}"},
  {BFLOATS, "input x: bfloat16[2,3,72,56]\ninput w: bfloat16[2,3,136,72]\ny = MatMul(x, w) {trans_a=1 trans_b=1}"},
  {HALVES, "input x: float16[2,3,72,56]\nconst w: float16[72,136] = random(3)\nconst b: float16[136] = random(4)\ny = MatMul(x, w, b) {trans_a=1}"},
  {HALVES, "input x: float16[2,1,50,72]\ninput w: float16[2,3,72,40]\ny = MatMul(x, w)"},
  {HALVES, "input x: float16[2,3,50,72]\nconst w: float16[3,40,72] = random(3)\ny = MatMul(x, w) {trans_b=1}"},
  {HALVES, "input x: float16[2,2,30,72]\ninput w: float16[2,2,39,72]\ny = MatMul(x, w) {trans_b=1 alpha=2.0}"},
  {HALVES, "input x: float16[4,4,1,64]\nconst w: float16[64,64] = random(3)\ny = MatMul(x, w)"},

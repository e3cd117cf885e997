/* The grid of cpu_kernels_test: networks of one node each, as text. Every kernel that supports one of them is compared with the reference
 * on it. Inputs without an initialiser get random data; names starting with `s` also infinities, NaN, zeros and large numbers, names
 * starting with `p` positive numbers. */
#ifndef INGOT_KERNEL_CASES_H
#define INGOT_KERNEL_CASES_H

typedef struct kernel_case {
  double tolerance;  /* of the largest magnitude of the result; 0: equal */
  const char *text;  /* what stands between "network {" and the outputs */
} kernel_case;

#define X4(n, c, h, w) "input x: float32[" #n "," #c "," #h "," #w "]\n"
#define EXACT 0
#define CLOSE 2e-6
#define LOOSE 2e-5

static const kernel_case kernel_cases[] = {
  /* Elementwise operators that are no rows of INGOT_ELEMENTWISE, broadcasting. */
  {EXACT, "input x: float32[2,5,7,3]\ninput b: float32[1,5,1,1]\ny = Add(x, b)"},
  {EXACT, "input x: float32[2,37,9,11]\nconst b: float32[1,37,1,1] = random(3)\ny = Mul(x, b)"},
  {EXACT, "input x: float32[2,64,9,11]\ninput b: float32[2,64,1,1]\ny = Mul(x, b)"},
  {EXACT, "input x: float32[2,16,9,11]\ninput b: float32[1,1,9,11]\ny = Sub(x, b)"},
  {EXACT, "input x: float32[2,16,9,11]\ninput b: float32[11]\ny = Div(x, b)"},
  {EXACT, "input x: float32[3,1,200]\ninput b: float32[1,70,1]\ny = Max(x, b)"},
  {EXACT, "input x: float32[2,3,1,5,1,4]\ninput b: float32[3,6,1,2,1]\ny = Add(x, b)"},
  {EXACT, "input x: float32[]\ninput b: float32[40,50]\ny = Sub(x, b)"},
  {EXACT, "input x: float32[1,64,70,33]\ninput b: float32[1,64,70,33]\ny = Add(x, b)"},
  {EXACT, "input x: float32[0,3]\ninput b: float32[1,3]\ny = Add(x, b)"},
  {EXACT, "input x: float32[3,40]\ninput c: bool[3,1]\ninput z: float32[40]\ny = Where(c, x, z)"},
  {EXACT, "input c: bool[2,8,5,4]\ninput x: float32[2,8,5,4]\ny = Where(c, x, x)"},
  {EXACT, "input x: float32[3,8,9,5]\nconst lo: float32[] = {-0.5}\nconst hi: float32[] = {0.75}\ny = Clip(x, lo, hi)"},
  {EXACT, "input s: float32[300]\nconst lo: float32[] = {-0.5}\ny = Clip(s, lo)"},
  {EXACT, "input s: float32[300]\nconst hi: float32[] = {0.5}\ny = Clip(s, _, hi)"},
  {EXACT, "input x: float32[2,24,5,5]\nconst b: float32[24,1,1] = random(5)\ny = PRelu(x, b)"},
  {CLOSE, "input p: float32[3000]\ninput x: float32[3000]\ny = Pow(p, x)"},
  {CLOSE, "input s: float32[41,1]\ninput s2: float32[1,43]\ny = Pow(s, s2)"},
  {CLOSE, "input x: float32[3000]\nconst e: float32[] = {2}\ny = Pow(x, e)"},
  {CLOSE, "input p: float32[3000]\nconst e: float32[] = {0.5}\ny = Pow(p, e)"},
  {CLOSE, "input x: float32[5,700]\ny = Gelu(x)"},
  {CLOSE, "input x: float32[5,700]\ny = Gelu(x) {approximate=\"tanh\"}"},
  {EXACT, "input s: float32[500]\ny = IsNaN(s)"},
  {EXACT, "input s: float32[500]\ny = IsInf(s)"},
  {EXACT, "input s: float32[500]\ny = IsInf(s) {detect_negative=0}"},
  {EXACT, "input x: float32[4,300]\ny = Cast(x) {to=float16}"},
  {EXACT, "input s: float32[300]\ny = Cast(s) {to=float16}"},
  {EXACT, "input x: float32[4,300]\ny = Cast(x) {to=bfloat16}"},
  {EXACT, "input h: float16[4,300]\ny = Cast(h) {to=float32}"},
  {EXACT, "input h: bfloat16[4,300]\ny = Cast(h) {to=float32}"},
  {EXACT, "input x: float32[4,300]\ny = Cast(x) {to=int32}"},
  {EXACT, "input x: float32[4,300]\ny = Cast(x) {to=int64}"},
  {EXACT, "input x: float32[4,300]\ny = Cast(x) {to=int8}"},
  {EXACT, "input x: float32[4,300]\ny = Cast(x) {to=bool}"},
  {EXACT, "input u: uint8[2,3,20,21]\ny = Cast(u) {to=float32}"},
  {EXACT, "input i: int64[300]\ny = Cast(i) {to=float32}"},
  {EXACT, "input i: int32[300]\ny = Cast(i) {to=float32}"},
  {EXACT, "input d: float64[300]\ny = Cast(d) {to=float32}"},
  {EXACT, "input x: float32[300]\ny = Cast(x) {to=float64}"},
  {EXACT, "input c: bool[300]\ny = Cast(c) {to=float32}"},
  /* Types that floats can't stand for. */
  {EXACT, "input x: int32[2,7,13,3]\ninput z: int32[7,1,3]\ny = Add(x, z)"},
  {EXACT, "input x: int32[45,1]\ninput z: int32[1,47]\ny = Mul(x, z)"},
  {EXACT, "input x: int32[500]\nconst z: int32[] = {3}\ny = Div(x, z)"},
  {EXACT, "input x: int32[500]\nconst lo: int32[] = {2}\nconst hi: int32[] = {5}\ny = Clip(x, lo, hi)"},
  {EXACT, "input c: bool[4,1,30]\ninput x: int32[4,5,30]\ninput z: int32[30]\ny = Where(c, x, z)"},
  {EXACT, "input x: int32[500]\ninput z: int32[500]\ny = LessOrEqual(x, z)"},
  {EXACT, "input x: int32[300]\nconst z: int32[] = {7}\ny = Mod(x, z)"},
  {EXACT, "input x: int32[3,100]\ny = Cast(x) {to=float32}"},
  {EXACT, "input x: int32[3,100]\ny = Cast(x) {to=float64}"},
  {EXACT, "input x: int32[3,100]\ny = Cast(x) {to=int64}"},
  {EXACT, "input x: int32[3,100]\ny = Cast(x) {to=uint8}"},
  {EXACT, "input x: int32[3,100]\ny = Cast(x) {to=bool}"},
  {EXACT, "input x: int32[3,100]\ny = Cast(x) {to=int8}"},
  {EXACT, "input x: int64[2,7,13,3]\ninput z: int64[7,1,3]\ny = Add(x, z)"},
  {EXACT, "input x: int64[45,1]\ninput z: int64[1,47]\ny = Mul(x, z)"},
  {EXACT, "input x: int64[500]\nconst z: int64[] = {3}\ny = Div(x, z)"},
  {EXACT, "input x: int64[500]\nconst lo: int64[] = {2}\nconst hi: int64[] = {5}\ny = Clip(x, lo, hi)"},
  {EXACT, "input c: bool[4,1,30]\ninput x: int64[4,5,30]\ninput z: int64[30]\ny = Where(c, x, z)"},
  {EXACT, "input x: int64[500]\ninput z: int64[500]\ny = LessOrEqual(x, z)"},
  {EXACT, "input x: int64[300]\nconst z: int64[] = {7}\ny = Mod(x, z)"},
  {EXACT, "input x: int64[3,100]\ny = Cast(x) {to=float32}"},
  {EXACT, "input x: int64[3,100]\ny = Cast(x) {to=float64}"},
  {EXACT, "input x: int64[3,100]\ny = Cast(x) {to=int32}"},
  {EXACT, "input x: int64[3,100]\ny = Cast(x) {to=uint8}"},
  {EXACT, "input x: int64[3,100]\ny = Cast(x) {to=bool}"},
  {EXACT, "input x: int64[3,100]\ny = Cast(x) {to=int8}"},
  {EXACT, "input x: uint8[2,7,13,3]\ninput z: uint8[7,1,3]\ny = Add(x, z)"},
  {EXACT, "input x: uint8[45,1]\ninput z: uint8[1,47]\ny = Mul(x, z)"},
  {EXACT, "input x: uint8[500]\nconst z: uint8[] = {3}\ny = Div(x, z)"},
  {EXACT, "input x: uint8[500]\nconst lo: uint8[] = {2}\nconst hi: uint8[] = {5}\ny = Clip(x, lo, hi)"},
  {EXACT, "input c: bool[4,1,30]\ninput x: uint8[4,5,30]\ninput z: uint8[30]\ny = Where(c, x, z)"},
  {EXACT, "input x: uint8[500]\ninput z: uint8[500]\ny = LessOrEqual(x, z)"},
  {EXACT, "input x: uint8[300]\nconst z: uint8[] = {7}\ny = Mod(x, z)"},
  {EXACT, "input x: uint8[3,100]\ny = Cast(x) {to=float32}"},
  {EXACT, "input x: uint8[3,100]\ny = Cast(x) {to=float64}"},
  {EXACT, "input x: uint8[3,100]\ny = Cast(x) {to=int32}"},
  {EXACT, "input x: uint8[3,100]\ny = Cast(x) {to=int64}"},
  {EXACT, "input x: uint8[3,100]\ny = Cast(x) {to=bool}"},
  {EXACT, "input x: uint8[3,100]\ny = Cast(x) {to=int8}"},
  {EXACT, "input x: float64[2,7,13,3]\ninput z: float64[7,1,3]\ny = Add(x, z)"},
  {EXACT, "input x: float64[45,1]\ninput z: float64[1,47]\ny = Mul(x, z)"},
  {EXACT, "input x: float64[500]\nconst z: float64[] = {3}\ny = Div(x, z)"},
  {EXACT, "input x: float64[500]\nconst lo: float64[] = {2}\nconst hi: float64[] = {5}\ny = Clip(x, lo, hi)"},
  {EXACT, "input c: bool[4,1,30]\ninput x: float64[4,5,30]\ninput z: float64[30]\ny = Where(c, x, z)"},
  {EXACT, "input x: float64[500]\ninput z: float64[500]\ny = LessOrEqual(x, z)"},
  {EXACT, "input x: float64[300]\nconst z: float64[] = {7}\ny = Mod(x, z) {fmod=1}"},
  {EXACT, "input x: float64[3,100]\ny = Cast(x) {to=float32}"},
  {EXACT, "input x: float64[3,100]\ny = Cast(x) {to=int32}"},
  {EXACT, "input x: float64[3,100]\ny = Cast(x) {to=int64}"},
  {EXACT, "input x: float64[3,100]\ny = Cast(x) {to=uint8}"},
  {EXACT, "input x: float64[3,100]\ny = Cast(x) {to=bool}"},
  {EXACT, "input x: float64[3,100]\ny = Cast(x) {to=int8}"},
  {EXACT, "input x: int8[2,7,13,3]\ninput z: int8[7,1,3]\ny = Add(x, z)"},
  {EXACT, "input x: int8[45,1]\ninput z: int8[1,47]\ny = Mul(x, z)"},
  {EXACT, "input x: int8[500]\nconst z: int8[] = {3}\ny = Div(x, z)"},
  {EXACT, "input x: int8[500]\nconst lo: int8[] = {2}\nconst hi: int8[] = {5}\ny = Clip(x, lo, hi)"},
  {EXACT, "input c: bool[4,1,30]\ninput x: int8[4,5,30]\ninput z: int8[30]\ny = Where(c, x, z)"},
  {EXACT, "input x: int8[500]\ninput z: int8[500]\ny = LessOrEqual(x, z)"},
  {EXACT, "input x: int8[300]\nconst z: int8[] = {7}\ny = Mod(x, z)"},
  {EXACT, "input x: int8[3,100]\ny = Cast(x) {to=float32}"},
  {EXACT, "input x: int8[3,100]\ny = Cast(x) {to=float64}"},
  {EXACT, "input x: int8[3,100]\ny = Cast(x) {to=int32}"},
  {EXACT, "input x: int8[3,100]\ny = Cast(x) {to=int64}"},
  {EXACT, "input x: int8[3,100]\ny = Cast(x) {to=uint8}"},
  {EXACT, "input x: int8[3,100]\ny = Cast(x) {to=bool}"},
  {EXACT, "input x: uint16[2,7,13,3]\ninput z: uint16[7,1,3]\ny = Add(x, z)"},
  {EXACT, "input x: uint16[45,1]\ninput z: uint16[1,47]\ny = Mul(x, z)"},
  {EXACT, "input x: uint16[500]\nconst z: uint16[] = {3}\ny = Div(x, z)"},
  {EXACT, "input x: uint16[500]\nconst lo: uint16[] = {2}\nconst hi: uint16[] = {5}\ny = Clip(x, lo, hi)"},
  {EXACT, "input c: bool[4,1,30]\ninput x: uint16[4,5,30]\ninput z: uint16[30]\ny = Where(c, x, z)"},
  {EXACT, "input x: uint16[500]\ninput z: uint16[500]\ny = LessOrEqual(x, z)"},
  {EXACT, "input x: uint16[300]\nconst z: uint16[] = {7}\ny = Mod(x, z)"},
  {EXACT, "input x: uint16[3,100]\ny = Cast(x) {to=float32}"},
  {EXACT, "input x: uint16[3,100]\ny = Cast(x) {to=float64}"},
  {EXACT, "input x: uint16[3,100]\ny = Cast(x) {to=int32}"},
  {EXACT, "input x: uint16[3,100]\ny = Cast(x) {to=int64}"},
  {EXACT, "input x: uint16[3,100]\ny = Cast(x) {to=uint8}"},
  {EXACT, "input x: uint16[3,100]\ny = Cast(x) {to=bool}"},
  {EXACT, "input x: uint16[3,100]\ny = Cast(x) {to=int8}"},
  {EXACT, "input x: int16[2,7,13,3]\ninput z: int16[7,1,3]\ny = Add(x, z)"},
  {EXACT, "input x: int16[45,1]\ninput z: int16[1,47]\ny = Mul(x, z)"},
  {EXACT, "input x: int16[500]\nconst z: int16[] = {3}\ny = Div(x, z)"},
  {EXACT, "input x: int16[500]\nconst lo: int16[] = {2}\nconst hi: int16[] = {5}\ny = Clip(x, lo, hi)"},
  {EXACT, "input c: bool[4,1,30]\ninput x: int16[4,5,30]\ninput z: int16[30]\ny = Where(c, x, z)"},
  {EXACT, "input x: int16[500]\ninput z: int16[500]\ny = LessOrEqual(x, z)"},
  {EXACT, "input x: int16[300]\nconst z: int16[] = {7}\ny = Mod(x, z)"},
  {EXACT, "input x: int16[3,100]\ny = Cast(x) {to=float32}"},
  {EXACT, "input x: int16[3,100]\ny = Cast(x) {to=float64}"},
  {EXACT, "input x: int16[3,100]\ny = Cast(x) {to=int32}"},
  {EXACT, "input x: int16[3,100]\ny = Cast(x) {to=int64}"},
  {EXACT, "input x: int16[3,100]\ny = Cast(x) {to=uint8}"},
  {EXACT, "input x: int16[3,100]\ny = Cast(x) {to=bool}"},
  {EXACT, "input x: int16[3,100]\ny = Cast(x) {to=int8}"},
  {EXACT, "input x: uint32[2,7,13,3]\ninput z: uint32[7,1,3]\ny = Add(x, z)"},
  {EXACT, "input x: uint32[45,1]\ninput z: uint32[1,47]\ny = Mul(x, z)"},
  {EXACT, "input x: uint32[500]\nconst z: uint32[] = {3}\ny = Div(x, z)"},
  {EXACT, "input x: uint32[500]\nconst lo: uint32[] = {2}\nconst hi: uint32[] = {5}\ny = Clip(x, lo, hi)"},
  {EXACT, "input c: bool[4,1,30]\ninput x: uint32[4,5,30]\ninput z: uint32[30]\ny = Where(c, x, z)"},
  {EXACT, "input x: uint32[500]\ninput z: uint32[500]\ny = LessOrEqual(x, z)"},
  {EXACT, "input x: uint32[300]\nconst z: uint32[] = {7}\ny = Mod(x, z)"},
  {EXACT, "input x: uint32[3,100]\ny = Cast(x) {to=float32}"},
  {EXACT, "input x: uint32[3,100]\ny = Cast(x) {to=float64}"},
  {EXACT, "input x: uint32[3,100]\ny = Cast(x) {to=int32}"},
  {EXACT, "input x: uint32[3,100]\ny = Cast(x) {to=int64}"},
  {EXACT, "input x: uint32[3,100]\ny = Cast(x) {to=uint8}"},
  {EXACT, "input x: uint32[3,100]\ny = Cast(x) {to=bool}"},
  {EXACT, "input x: uint32[3,100]\ny = Cast(x) {to=int8}"},
  {EXACT, "input x: uint64[2,7,13,3]\ninput z: uint64[7,1,3]\ny = Add(x, z)"},
  {EXACT, "input x: uint64[45,1]\ninput z: uint64[1,47]\ny = Mul(x, z)"},
  {EXACT, "input x: uint64[500]\nconst z: uint64[] = {3}\ny = Div(x, z)"},
  {EXACT, "input x: uint64[500]\nconst lo: uint64[] = {2}\nconst hi: uint64[] = {5}\ny = Clip(x, lo, hi)"},
  {EXACT, "input c: bool[4,1,30]\ninput x: uint64[4,5,30]\ninput z: uint64[30]\ny = Where(c, x, z)"},
  {EXACT, "input x: uint64[500]\ninput z: uint64[500]\ny = LessOrEqual(x, z)"},
  {EXACT, "input x: uint64[300]\nconst z: uint64[] = {7}\ny = Mod(x, z)"},
  {EXACT, "input x: uint64[3,100]\ny = Cast(x) {to=float32}"},
  {EXACT, "input x: uint64[3,100]\ny = Cast(x) {to=float64}"},
  {EXACT, "input x: uint64[3,100]\ny = Cast(x) {to=int32}"},
  {EXACT, "input x: uint64[3,100]\ny = Cast(x) {to=int64}"},
  {EXACT, "input x: uint64[3,100]\ny = Cast(x) {to=uint8}"},
  {EXACT, "input x: uint64[3,100]\ny = Cast(x) {to=bool}"},
  {EXACT, "input x: uint64[3,100]\ny = Cast(x) {to=int8}"},
  {EXACT, "input x: int32[400]\ny = Relu(x)"},
  {EXACT, "input x: int32[400]\ny = Abs(x)"},
  {EXACT, "input x: int32[400]\ny = Sign(x)"},
  {EXACT, "input x: int32[400]\ny = Neg(x)"},
  {CLOSE, "input x: float64[400]\ny = Exp(x)"},
  {CLOSE, "input x: float64[400]\ny = Tanh(x)"},
  {CLOSE, "input x: float64[400]\ny = Sigmoid(x)"},
  {CLOSE, "input x: float64[400]\ny = Erf(x)"},
  {CLOSE, "input p: float64[400]\ny = Sqrt(p)"},
  {CLOSE, "input x: float64[400]\ny = Softplus(x)"},
  {CLOSE, "input x: float64[400]\ny = Elu(x)"},
  {CLOSE, "input x: float64[400]\ny = Round(x)"},
  {EXACT, "input s: float64[300]\ninput s2: float64[300]\ny = Max(s, s2)"},
  {EXACT, "input s: float64[300]\ny = IsNaN(s)"},
  {EXACT, "input s: float64[300]\ny = IsInf(s)"},
  {EXACT, "input x: bool[3,400]\ninput z: bool[400]\ny = Or(x, z)"},
  {EXACT, "input x: bool[3,400]\ny = Not(x)"},
  {EXACT, "input x: int32[500]\ninput z: int32[500]\ny = BitwiseXor(x, z)"},
  {EXACT, "input x: uint8[500]\ninput z: uint8[500]\ny = ShiftLeft(x, z)"},
  {EXACT, "input x: int64[500]\ninput z: int64[500]\ny = ShiftRight(x, z)"},
  {EXACT, "input c: bool[300]\ninput h: float16[300]\ninput h2: float16[300]\ny = Where(c, h, h2)"},
  {EXACT, "input h: float16[300]\ny = Cast(h) {to=int32}"},
  {EXACT, "input h: bfloat16[300]\ny = Cast(h) {to=float64}"},
  {EXACT, "input x: int64[2,30]\ninput z: int64[30]\ny = Fused(x, z) {body={\n input a: int64[2,30]\n input b: int64[30]\n const k: int64[] = {3}\n"
          "t = Add(a, b)\nu = Mul(t, k)\nv = Sub(u, b)\noutput v\n}}"},
  {EXACT, "input x: int32[2,30]\ninput z: float32[30]\ny = Fused(x, z) {body={\n input a: int32[2,30]\n input b: float32[30]\n"
          "t = Cast(a) {to=float32}\nu = Mul(t, b)\noutput u\n}}"},
  {EXACT, "input x: float32[2,19,9,11]\nconst f: float32[] = {0.01}\nconst z: uint8[] = {128}\ny = QuantizeLinear(x, f, z)"},
  {EXACT, "input x: float32[2,19,9,11]\nconst f: float32[] = {0.013}\nconst z: int8[] = {0}\ny = QuantizeLinear(x, f, z)"},
  {EXACT, "input x: float32[2,3,9,11]\nconst f: float32[3] = {0.013, 0.02, 0.1}\nconst z: int8[3] = {0, 5, -3}\ny = QuantizeLinear(x, f, z)"},
  {EXACT, "input x: float32[7,3]\nconst f: float32[3] = {0.013, 0.02, 0.1}\ny = QuantizeLinear(x, f) {axis=-1}"},
  {EXACT, "input u: uint8[2,3,9,11]\nconst f: float32[3] = {0.013, 0.02, 0.1}\nconst z: uint8[3] = {0, 5, 3}\ny = DequantizeLinear(u, f, z)"},
  {EXACT, "input u: int8[2,3,9,11]\nconst f: float32[] = {0.013}\nconst z: int8[] = {3}\ny = DequantizeLinear(u, f, z)"},
  {EXACT, "input i: int32[64]\nconst f: float32[64] = random(3)\ny = DequantizeLinear(i, f) {axis=0}"},
  {CLOSE, "input x: float32[2,32,9,11]\ninput b: float32[1,32,1,1]\ninput r: float32[2,32,9,11]\n"
          "y = Fused(x, b, r) {body={\n input a: float32[2,32,9,11]\n input b2: float32[1,32,1,1]\n input r2: float32[2,32,9,11]\n"
          " const k: float32[] = {0.5}\n t = Mul(a, b2)\n u = Add(t, r2)\n v = Sigmoid(u)\n w = Mul(u, v)\n z = Mul(w, k)\n output z\n}}"},
  {CLOSE, "input x: float32[4,700]\ninput b: float32[700]\n"
          "y, y2, y3 = Fused(x, b) {body={\n input a: float32[4,700]\n input c: float32[700]\n const lo: float32[] = {-1}\n"
          " const hi: float32[] = {1}\n"
          " t = Add(a, c)\n u = Clip(t, lo, hi)\n g = Less(a, u)\n n = Not(g)\n v = Where(n, t, a)\n w = Exp(v)\n output w\n output t\n"
          " output g\n}}"},

  {CLOSE, "input x: float32[2,40,9,11]\nconst k: float32[40,1,1] = random(3)\nconst b: float32[40,1,1] = random(4)\n"
          "y = Fused(x, k, b) {body={\n input a: float32[2,40,9,11]\n input m: float32[40,1,1]\n input c: float32[40,1,1]\n"
          " t = Mul(a, m)\n u = Add(c, t)\n v = Relu(u)\n output v\n}}"},
  {CLOSE, "input x: float32[2,40,9,11]\nconst k: float32[40,1,1] = random(3)\n"
          "y, y2 = Fused(x, k) {body={\n input a: float32[2,40,9,11]\n input m: float32[40,1,1]\n"
          " t = Mul(a, m)\n u = Add(t, a)\n v = Relu(u)\n w = Mul(v, t)\n z = Add(w, w)\n output z\n output u\n}}"},

  /* Movement. */
  {EXACT, "input x: float32[2,3,17,19]\ny = Reformat(x)"},
  {EXACT, "input x: float32[2,2,17,19]\ny = Reformat(x)"},
  {EXACT, "input x: float32[1,4,33,31]\ny = Reformat(x)"},
  {EXACT, "input x: float32[1,64,33,31]\ny = Reformat(x)"},
  {EXACT, "input x: float32[2,23,5,1]\ny = Reformat(x)"},
  {EXACT, "input x: float32[2,40,50]\ny = Reformat(x)"},
  {EXACT, "input x: float32[1,130,1,1]\ny = Reformat(x)"},
  {EXACT, "input u: int8[2,20,17,19]\ny = Reformat(u)"},
  {EXACT, "input h: float16[2,20,17,19]\ny = Reformat(h)"},
  {EXACT, "input i: int64[2,20,17,19]\ny = Reformat(i)"},
  {EXACT, "input x: float32[1,64,80,90]\ny = Reformat(x)"},
  {EXACT, "input x: float32[2,5,6,7]\ny = Transpose(x) {perm=[0,2,3,1]}"},
  {EXACT, "input x: float32[2,5,6,7]\ny = Transpose(x) {perm=[0,3,1,2]}"},
  {EXACT, "input x: float32[2,5,7]\ny = Transpose(x) {perm=[0,2,1]}"},
  {EXACT, "input x: float32[2,12,30,64]\ny = Transpose(x) {perm=[0,2,1,3]}"},
  {EXACT, "input x: float32[2,12,30,64]\ny = Transpose(x) {perm=[0,1,3,2]}"},
  {EXACT, "input x: float32[3,1,7]\ny = Transpose(x) {perm=[1,0,2]}"},
  {EXACT, "input x: float32[100,133]\ny = Transpose(x)"},
  {EXACT, "input i: int64[100,133]\ny = Transpose(i)"},
  {EXACT, "input u: uint8[3,4,5,6,7]\ny = Transpose(u) {perm=[4,2,0,3,1]}"},
  {EXACT, "input x: float32[2,3,4,5]\nconst d: int64[2] = {6, 20}\ny = Reshape(x, d)"},
  {EXACT, "input x: float32[2,30,1,1]\nconst d: int64[2] = {2, 30}\ny = Reshape(x, d)"},
  {EXACT, "input x: float32[2,30]\nconst d: int64[4] = {2, 30, 1, 1}\ny = Reshape(x, d)"},
  {EXACT, "input x: float32[2,30]\nconst d: int64[4] = {1, 4, 3, 5}\ny = Reshape(x, d)"},
  {EXACT, "input x: float32[2,30,7,5]\ny = Flatten(x)"},
  {EXACT, "input x: float32[2,30,1,1]\ny = Flatten(x)"},
  {EXACT, "input x: float32[2,1,7]\nconst a: int64[1] = {1}\ny = Squeeze(x, a)"},
  {EXACT, "input x: float32[2,7,5]\nconst a: int64[1] = {1}\ny = Unsqueeze(x, a)"},
  {EXACT, "input x: float32[2,7,5]\ny = Identity(x)"},
  {EXACT, "input x: float32[2,7,5,4]\ninput z: float32[2,16,5,4]\ny = Concat(x, z) {axis=1}"},
  {EXACT, "input x: float32[2,7,5,4]\ninput z: float32[2,7,5,4]\ninput w: float32[2,7,1,4]\ny = Concat(x, z, w) {axis=2}"},
  {EXACT, "input x: float32[9,4]\ninput z: float32[9,3]\ny = Concat(x, z) {axis=-1}"},
  {EXACT, "input i: int64[3]\ninput i2: int64[2]\ny = Concat(i, i2) {axis=0}"},
  {EXACT, "input x: float32[2,70,8,9]\ny, y2 = Split(x) {axis=1 num_outputs=2}"},
  {EXACT, "input x: float32[2,7,8,9]\nconst d: int64[3] = {3,1,4}\ny, y2, y3 = Split(x, d) {axis=2}"},
  {EXACT, "input x: float32[2,7,8,9]\nconst d: int64[3] = {3,1,4}\n_, y2, _ = Split(x, d) {axis=2}"},
  {EXACT, "input x: float32[2,37,8,9]\nconst a: int64[2] = {1,-5}\nconst b: int64[2] = {30,-1}\nconst c: int64[2] = {1,2}\ny = Slice(x, a, b, c)"},
  {EXACT, "input x: float32[2,37,8,9]\nconst a: int64[1] = {-1}\nconst b: int64[1] = {-100}\nconst c: int64[1] = {3}\nconst d: int64[1] = {-2}\n"
          "y = Slice(x, a, b, c, d)"},
  {EXACT, "input x: float32[2,3,8,9]\nconst a: int64[8] = {0,0,1,2,0,0,3,4}\nconst v: float32[] = {1.5}\ny = Pad(x, a, v)"},
  {EXACT, "input x: float32[2,3,8,9]\nconst a: int64[8] = {0,1,-1,2,1,0,3,-4}\ny = Pad(x, a)"},
  {EXACT, "input x: float32[5,6]\nconst a: int64[2] = {2,3}\nconst v: float32[] = {-1}\nconst c: int64[1] = {1}\ny = Pad(x, a, v, c)"},
  {EXACT, "input x: float32[3,1,5]\nconst d: int64[4] = {2,1,4,1}\ny = Expand(x, d)"},
  {EXACT, "input x: float32[2,3,1,5]\nconst d: int64[4] = {1,2,3,1}\ny = Tile(x, d)"},
  {EXACT, "input x: float32[2,36,5,7]\ny = DepthToSpace(x) {blocksize=2}"},
  {EXACT, "input x: float32[2,36,5,7]\ny = DepthToSpace(x) {blocksize=3 mode=\"CRD\"}"},
  {EXACT, "input x: float32[2,5,6,8]\ny = SpaceToDepth(x) {blocksize=2}"},
  {EXACT, "input x: float32[2,5,6,8]\ny = SpaceToDepth(x) {blocksize=2 mode=\"CRD\"}"},
  {EXACT, "input x: float32[20,30]\ninput i: int64[2,7]\ny = Gather(x, i) {axis=0}"},
  {EXACT, "input x: float32[4,20,30]\nconst i: int64[] = {-1}\ny = Gather(x, i) {axis=1}"},
  {EXACT, "input x: float32[4,20,30]\nconst i: int32[3] = {5,0,-30}\ny = Gather(x, i) {axis=2}"},

  /* Convolutions of 8-bit levels: bytes over their whole range, so that 16-bit sums of two products would overflow. */
  {EXACT, "input u: uint8[2,64,9,11]\nconst w: int8[96,64,1,1] = random(3)\nconst b: int32[96] = random(4)\nconst f: float32[96] = random(5)\n"
          "y = Conv(u, w, b, _, f) {x_zero=130 y_zero=7}"},
  {EXACT, "input u: uint8[1,3,30,33]\nconst w: int8[32,3,3,3] = random(3)\nconst b: int32[32] = random(4)\nconst f: float32[] = {0.02}\n"
          "y = Conv(u, w, b, _, f) {strides=[2,2] pads=[1,1,1,1] x_zero=114}"},
  {EXACT, "input u: uint8[1,20,13,17]\nconst w: int8[37,20,3,3] = random(3)\nconst f: float32[] = {0.01}\n"
          "y = Conv(u, w, _, _, f) {pads=[1,2,1,0] dilations=[1,2] y_zero=100}"},
  {EXACT, "input u: uint8[1,16,20,19]\nconst w: int8[16,16,5,3] = random(3)\nconst b: int32[16] = random(4)\nconst f: float32[] = {0.01}\n"
          "y = Conv(u, w, b, _, f) {strides=[2,3] auto_pad=\"SAME_UPPER\" x_zero=255 y_low=3 y_high=200}"},
  {EXACT, "input u: uint8[2,24,8,7]\nconst w: int8[36,8,3,3] = random(3)\nconst b: int32[36] = random(4)\nconst f: float32[36] = {0.001,"
          "0.002,0.003,0.004,0.005,0.006,0.007,0.008,0.009,0.010,0.011,0.012,0.013,0.014,0.015,0.016,0.017,0.018,0.019,0.020,0.021,0.022,"
          "0.023,0.024,0.025,0.026,0.027,0.028,0.029,0.030,0.031,0.032,0.033,0.034,0.035,0.036}\n"
          "y = Conv(u, w, b, _, f) {group=3 pads=[1,1,1,1] x_zero=9 y_zero=128}"},
  {EXACT, "input u: uint8[1,7,12,12]\nconst w: int8[5,7,1,1] = random(3)\nconst f: float32[] = {0.03}\ny = Conv(u, w, _, _, f) {y_zero=120}"},
  {EXACT, "input u: uint8[2,12,50]\nconst w: int8[17,12,4] = random(3)\nconst f: float32[] = {0.03}\ny = Conv(u, w, _, _, f) {pads=[2,"
          "1] x_zero=3}"},
  {EXACT, "input u: uint8[2,96,13,14]\nconst w: int8[96,1,3,3] = random(3)\nconst b: int32[96] = random(4)\nconst f: float32[96] = random(5)\n"
          "y = Conv(u, w, b, _, f) {group=96 pads=[1,1,1,1] x_zero=77 y_zero=13}"},
  {EXACT, "input u: uint8[1,144,15,9]\nconst w: int8[144,1,3,3] = random(3)\nconst b: int32[144] = random(4)\nconst f: float32[] = {0.03}\n"
          "y = Conv(u, w, b, _, f) {group=144 strides=[2,2] pads=[1,1,1,1] x_zero=200 y_zero=128 y_low=128}"},
  {EXACT, "input u: uint8[1,70,9,12]\nconst w: int8[70,1,5,5] = random(3)\nconst f: float32[] = {0.03}\n"
          "y = Conv(u, w, _, _, f) {group=70 pads=[2,2,2,2] y_zero=60}"},
  {EXACT, "input u: uint8[1,33,19,12]\nconst w: int8[33,1,5,5] = random(3)\nconst f: float32[] = {0.03}\n"
          "y = Conv(u, w, _, _, f) {group=33 strides=[2,2] pads=[2,2,2,2] x_zero=5 y_zero=60}"},
  {EXACT, "input u: uint8[1,40,11,12]\nconst w: int8[40,1,7,3] = random(3)\nconst b: int32[40] = random(4)\nconst f: float32[] = {0.03}\n"
          "y = Conv(u, w, b, _, f) {group=40 dilations=[1,2] pads=[3,1,3,2] x_zero=31 y_zero=60}"},
  {EXACT, "input u: uint8[1,4,7,30]\nconst w: int8[16,4,1,1] = {-128,127,127,126,127,-127,-127,-127,-127,-128,127,-127,127,-127,-127,127,"
          "127,-127,126,-128,127,127,126,127,127,127,127,127,-127,-128,-127,127,127,-128,-127,-127,127,-128,126,-128,-128,-127,126,127,-127,"
          "127,127,-128,126,127,126,127,-127,127,-128,126,126,127,-127,127,-127,127,127,-127}\n"
          "const f: float32[] = {0.002}\ny = Conv(u, w, _, _, f) {y_zero=120}"},
  {EXACT, "input u: uint8[1,64,7,9]\nconst w: int8[64,1,1,1] = {-128,127,127,126,127,-127,-127,-127,-127,-128,127,-127,127,-127,-127,127,"
          "127,-127,126,-128,127,127,126,127,127,127,127,127,-127,-128,-127,127,127,-128,-127,-127,127,-128,126,-128,-128,-127,126,127,-127,"
          "127,127,-128,126,127,126,127,-127,127,-128,126,126,127,-127,127,-127,127,127,-127}\n"
          "const f: float32[] = {0.01}\ny = Conv(u, w, _, _, f) {group=64 y_zero=120}"},

  /* Pools. */
  {EXACT, X4(2, 64, 17, 19) "y = MaxPool(x) {kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]}"},
  /* NaN among them: it is what comes out. */
  {EXACT, "input s: float32[1,53,9,9]\ny = MaxPool(s) {kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]}"},
  {EXACT, "input s: float32[1,77,8,8]\ny = MaxPool(s) {kernel_shape=[2,2] strides=[2,2]}"},
  {EXACT, "input s: float32[2,40,3,3]\ny = GlobalMaxPool(s)"},
  {EXACT, "input s: float32[40,37]\nconst a: int64[1] = {1}\ny = ReduceMax(s, a)"},
  {EXACT, "input s: float32[40,37]\nconst a: int64[1] = {1}\ny = ReduceMin(s, a)"},
  {EXACT, "input s: float32[9,137]\nconst a: int64[1] = {0}\ny = ReduceMax(s, a)"},
  {EXACT, "input s: float32[9,137]\nconst a: int64[1] = {0}\ny = ReduceMin(s, a)"},
  {EXACT, "input s: float32[40,37]\ny = ArgMax(s) {axis=1}"},
  {EXACT, "input s: float32[9,200]\ny = ArgMin(s) {axis=1 select_last_index=1}"},
  {EXACT, "input s: float32[9,137]\ny = ArgMax(s) {axis=0}"},
  {EXACT, "input s: float32[9,137]\ny = ArgMin(s) {axis=0 select_last_index=1}"},
  {EXACT, X4(1, 37, 14, 15) "y = MaxPool(x) {kernel_shape=[2,2] strides=[2,2]}"},
  {EXACT, X4(1, 7, 14, 15) "y = MaxPool(x) {kernel_shape=[2,3] strides=[2,2] dilations=[2,1] pads=[1,0,1,2] ceil_mode=1}"},
  {EXACT, X4(1, 130, 9, 9) "y = MaxPool(x) {kernel_shape=[3,3] strides=[1,1] auto_pad=\"SAME_UPPER\"}"},
  {EXACT, "input x: float32[2,20,31]\ny = MaxPool(x) {kernel_shape=[3] strides=[2]}"},
  {EXACT, "input x: float32[1,20,6,7,8]\ny = MaxPool(x) {kernel_shape=[2,3,2] strides=[2,1,2] pads=[0,1,0,0,1,0]}"},
  {CLOSE, X4(2, 64, 17, 19) "y = AveragePool(x) {kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]}"},
  {CLOSE, X4(2, 19, 17, 19) "y = AveragePool(x) {kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1] count_include_pad=1 ceil_mode=1}"},
  {CLOSE, X4(1, 256, 8, 8) "y = AveragePool(x) {kernel_shape=[2,2] strides=[2,2]}"},
  {CLOSE, "input x: float32[2,20,31]\ny = AveragePool(x) {kernel_shape=[4] strides=[3] pads=[2,1]}"},
  {CLOSE, X4(2, 70, 7, 7) "y = GlobalAveragePool(x)"},
  {CLOSE, X4(1, 33, 57, 61) "y = GlobalAveragePool(x)"},
  {EXACT, X4(2, 70, 7, 9) "y = GlobalMaxPool(x)"},
  {CLOSE, "input x: float32[2,20,31]\ny = GlobalAveragePool(x)"},

  /* Resize. */
  {CLOSE, X4(1, 40, 7, 9) "const f: float32[4] = {1,1,2,2}\ny = Resize(x, _, f)"},
  {CLOSE, X4(2, 3, 7, 9) "const f: float32[4] = {1,1,2.5,1.7}\n"
          "y = Resize(x, _, f) {coordinate_transformation_mode=\"asymmetric\" nearest_mode=\"floor\"}"},
  {CLOSE, X4(1, 19, 7, 9) "const f: float32[4] = {1,1,2,2}\ny = Resize(x, _, f) {mode=\"linear\"}"},
  {CLOSE, X4(1, 3, 40, 50) "const d: int64[4] = {1,3,71,33}\n"
          "y = Resize(x, _, _, d) {mode=\"linear\" coordinate_transformation_mode=\"align_corners\"}"},
  {CLOSE, X4(1, 3, 40, 50) "const d: int64[4] = {1,3,11,13}\ny = Resize(x, _, _, d) {mode=\"linear\" antialias=1}"},
  {CLOSE, X4(2, 33, 7, 9) "const f: float32[4] = {1,1,1,3}\n"
          "y = Resize(x, _, f) {mode=\"linear\" coordinate_transformation_mode=\"pytorch_half_pixel\"}"},
  {CLOSE, X4(1, 20, 7, 9) "const f: float32[4] = {1,1,2,2.2}\ny = Resize(x, _, f) {mode=\"cubic\"}"},
  {CLOSE, X4(1, 4, 9, 9) "const o: float32[8] = {0,0,-0.3,0.2,1,1,0.7,1.3}\nconst d: int64[4] = {1,4,13,14}\n"
          "y = Resize(x, o, _, d) {mode=\"linear\" coordinate_transformation_mode=\"tf_crop_and_resize\" extrapolation_value=7.5}"},
  {CLOSE, X4(1, 70, 40, 50) "const d: int64[4] = {1,70,3,4}\ny = Resize(x, _, _, d) {mode=\"cubic\" antialias=1}"},
  {CLOSE, "input x: float32[2,20,31]\nconst f: float32[3] = {1,1,2}\ny = Resize(x, _, f) {mode=\"linear\"}"},
  {CLOSE, "input x: float32[2,20,31]\nconst f: float32[3] = {1,1,2}\ny = Resize(x, _, f)"},

  /* Sampling. */
  {CLOSE, X4(2, 5, 9, 12) "input g: float32[2,7,11,2]\ny = GridSample(x, g) {mode=\"linear\" padding_mode=\"zeros\" align_corners=0}"},
  {CLOSE, X4(2, 37, 9, 12) "input g: float32[2,7,11,2]\ny = GridSample(x, g) {mode=\"linear\" padding_mode=\"zeros\" align_corners=1}"},
  {CLOSE, X4(2, 5, 9, 12) "input g: float32[2,7,11,2]\ny = GridSample(x, g) {mode=\"linear\" padding_mode=\"border\" align_corners=0}"},
  {CLOSE, X4(2, 37, 9, 12) "input g: float32[2,7,11,2]\ny = GridSample(x, g) {mode=\"linear\" padding_mode=\"border\" align_corners=1}"},
  {CLOSE, X4(2, 5, 9, 12) "input g: float32[2,7,11,2]\ny = GridSample(x, g) {mode=\"linear\" padding_mode=\"reflection\" align_corners=0}"},
  {CLOSE, X4(2, 37, 9, 12) "input g: float32[2,7,11,2]\ny = GridSample(x, g) {mode=\"linear\" padding_mode=\"reflection\" align_corners=1}"},
  {CLOSE, X4(2, 5, 9, 12) "input g: float32[2,7,11,2]\ny = GridSample(x, g) {mode=\"nearest\" padding_mode=\"zeros\" align_corners=0}"},
  {CLOSE, X4(2, 5, 9, 12) "input g: float32[2,7,11,2]\ny = GridSample(x, g) {mode=\"nearest\" padding_mode=\"reflection\" align_corners=0}"},
  {CLOSE, X4(2, 5, 9, 12) "input g: float32[2,7,11,2]\ny = GridSample(x, g) {mode=\"cubic\" padding_mode=\"zeros\" align_corners=0}"},
  {CLOSE, X4(2, 5, 9, 12) "input g: float32[2,7,11,2]\ny = GridSample(x, g) {mode=\"cubic\" padding_mode=\"reflection\" align_corners=0}"},
  {CLOSE, X4(2, 37, 15, 17) "const r: float32[5,4] = {0,0,8,7,3.5,2,20,18,-4,5,6.25,9,100,100,120,140,9,9,2,3}\nconst i: int64[5] = {0,1,1,0,1}\n"
          "y = RoiAlign(x, r, i) {output_height=3 output_width=4}"},
  {CLOSE, X4(2, 5, 15, 17) "const r: float32[5,4] = {0,0,8,7,3.5,2,20,18,-4,5,6.25,9,100,100,120,140,9,9,2,3}\nconst i: int64[5] = {0,1,1,0,1}\n"
          "y = RoiAlign(x, r, i) {output_height=2 output_width=2 sampling_ratio=3 spatial_scale=0.5}"},
  {CLOSE, X4(2, 40, 15, 17) "const r: float32[5,4] = {0,0,8,7,3.5,2,20,18,-4,5,6.25,9,100,100,120,140,9,9,2,3}\nconst i: int64[5] = {0,1,1,0,1}\n"
          "y = RoiAlign(x, r, i) {output_height=7 output_width=7 sampling_ratio=2 coordinate_transformation_mode=\"output_half_pixel\"}"},

  /* Along axes. */
  {LOOSE, "input x: float32[7,1000]\ny = Softmax(x)"},
  {LOOSE, "input x: float32[2,12,197,197]\ny = Softmax(x)"},
  {LOOSE, X4(2, 21, 9, 11) "y = Softmax(x) {axis=1}"},
  {LOOSE, X4(2, 3, 30, 40) "y = LogSoftmax(x) {axis=1}"},
  {LOOSE, "input x: float32[3,5000]\ny = LogSoftmax(x)"},
  {LOOSE, "input x: float32[40,30]\ny = Softmax(x) {axis=0}"},
  {LOOSE, "input x: float32[8]\ny = Softmax(x)"},
  {LOOSE, "input x: float32[8,1]\ny = Softmax(x)"},
  {LOOSE, X4(1, 512, 9, 11) "y = LpNormalization(x) {axis=1}"},
  {LOOSE, "input x: float32[9,300]\ny = LpNormalization(x) {p=1}"},
  {LOOSE, "input x: float32[5,197,768]\nconst g: float32[768] = random(3)\nconst b: float32[768] = random(4)\ny = LayerNormalization(x, g, b)"},
  {LOOSE, "input x: float32[3,5,7]\ninput g: float32[5,7]\ny, m, v = LayerNormalization(x, g) {axis=1}"},
  {LOOSE, "input x: float32[9,33]\ninput g: float32[33]\ny = RMSNormalization(x, g)"},
  {LOOSE, X4(2, 36, 9, 11) "const g: float32[36] = random(3)\nconst b: float32[36] = random(4)\ny = InstanceNormalization(x, g, b)"},
  {LOOSE, X4(2, 36, 9, 11) "const g: float32[36] = random(3)\nconst b: float32[36] = random(4)\ny = GroupNormalization(x, g, b) {num_groups=4}"},
  {LOOSE, X4(1, 64, 20, 21) "const g: float32[64] = random(3)\nconst b: float32[64] = random(4)\ny = GroupNormalization(x, g, b) {num_groups=1}"},
  {LOOSE, X4(2, 36, 9, 11) "const g: float32[36] = random(3)\nconst b: float32[36] = random(4)\ninput m: float32[36]\ninput p: float32[36]\n"
          "y = BatchNormalization(x, g, b, m, p)"},
  {LOOSE, "input x: float32[7,36]\nconst g: float32[36] = random(3)\nconst b: float32[36] = random(4)\ninput m: float32[36]\ninput p: float32[36]\n"
          "y = BatchNormalization(x, g, b, m, p)"},
  {LOOSE, X4(2, 20, 9, 11) "const a: int64[2] = {2,3}\ny = ReduceMean(x, a)"},
  {LOOSE, X4(2, 300, 9, 11) "const a: int64[2] = {2,3}\ny = ReduceSum(x, a) {keepdims=0}"},
  {LOOSE, X4(2, 20, 9, 11) "const a: int64[1] = {1}\ny = ReduceSum(x, a)"},
  {LOOSE, X4(2, 20, 9, 11) "const a: int64[1] = {1}\ny = ReduceMean(x, a) {keepdims=0}"},
  {LOOSE, X4(2, 20, 9, 11) "const a: int64[2] = {0,2}\ny = ReduceL2(x, a)"},
  {LOOSE, X4(2, 20, 9, 11) "y = ReduceSum(x) {keepdims=0}"},
  {EXACT, X4(2, 20, 9, 11) "const a: int64[2] = {-1,0}\ny = ReduceMax(x, a)"},
  {EXACT, X4(2, 20, 9, 11) "const a: int64[1] = {2}\ny = ReduceMin(x, a)"},
  {LOOSE, "input x: float32[30,5000]\nconst a: int64[1] = {1}\ny = ReduceL1(x, a)"},
  {LOOSE, "input x: float32[30,500]\nconst a: int64[1] = {0}\ny = ReduceSumSquare(x, a)"},
  {EXACT, "input x: float32[3,1000]\ny = ArgMax(x) {axis=1}"},
  {EXACT, X4(2, 21, 30, 41) "y = ArgMax(x) {axis=1 keepdims=0}"},
  {EXACT, X4(2, 21, 9, 11) "y = ArgMin(x) {axis=1}"},
  {EXACT, "input u: uint8[5]\ny = Identity(u)"},

  /* Large enough for a second thread. */
  {CLOSE, "input x: float32[3,37,61,50]\ny = HardSwish(x)"},
  {EXACT, "input x: float32[3,37,61,50]\ninput b: float32[3,37,1,1]\ny = Mul(x, b)"},
  {EXACT, "input x: float32[1,70,61,50]\ny = Concat(x, x) {axis=1}"},
  {EXACT, "input x: float32[7,61,5,90]\ny = Transpose(x) {perm=[0,3,1,2]}"},
  {EXACT, X4(2, 64, 30, 31) "y = MaxPool(x) {kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]}"},
  {CLOSE, X4(1, 3, 101, 90) "const d: int64[4] = {1,3,211,130}\ny = Resize(x, _, _, d) {mode=\"linear\"}"},
  {CLOSE, X4(1, 3, 101, 90) "const d: int64[4] = {1,3,211,130}\ny = Resize(x, _, _, d)"},
  {CLOSE, X4(1, 40, 30, 31) "const f: float32[4] = {1,1,2,2}\ny = Resize(x, _, f)"},
  {LOOSE, X4(2, 36, 40, 41) "const g: float32[36] = random(3)\nconst b: float32[36] = random(4)\ny = GroupNormalization(x, g, b) {num_groups=4}"},
  {LOOSE, X4(2, 36, 40, 41) "const g: float32[36] = random(3)\nconst b: float32[36] = random(4)\ninput m: float32[36]\ninput p: float32[36]\n"
          "y = BatchNormalization(x, g, b, m, p)"},
  {LOOSE, X4(1, 300, 40, 41) "y = GlobalAveragePool(x)"},
  {EXACT, X4(2, 21, 70, 71) "y = ArgMax(x) {axis=1 select_last_index=1}"},
  {EXACT, X4(2, 121, 30, 31) "y = ArgMax(x) {axis=1}"},
  {LOOSE, X4(1, 64, 30, 31) "const w: float32[64,1,3,3] = random(3)\nconst b: float32[64] = random(4)\n"
          "y = Conv(x, w, b) {group=64 pads=[1,1,1,1] act=Mish}"},
  {LOOSE, X4(1, 300, 7, 9) "const w: float32[300,1,5,5] = random(3)\ny = Conv(x, w) {group=300 pads=[2,2,2,2] dilations=[1,1]}"},

  /* Attention. */
  {LOOSE, "input q: float32[2,3,50,64]\ninput k: float32[2,3,37,64]\ninput v: float32[2,3,37,32]\ny = FusedAttention(q, k, v) {scale=0.125}"},
  {LOOSE, "input q: float32[4,20,16]\ninput k: float32[4,70,16]\ninput v: float32[4,70,16]\ninput m: float32[1,20,70]\n"
          "y = FusedAttention(q, k, v, m)"},
  /* Few queries and many; grouped heads, caps, windows, causality with an offset, lengths, masks that are short, of bools, or repeated. */
#define QKV(l, s, h, g) "input q: float32[2," #h "," #l ",20]\ninput k: float32[2," #g "," #s ",20]\ninput v: float32[2," #g "," #s ",70]\n"
  {LOOSE, QKV(1, 37, 6, 6) "y = FusedAttention(q, k, v)"},
  {LOOSE, QKV(2, 37, 6, 2) "const p: int64[] = {30}\ny = FusedAttention(q, k, v, _, _, p) {causal=1 softcap=1.5}"},
  {LOOSE, QKV(50, 61, 6, 2) "const p: int64[2] = {11, -3}\ny = FusedAttention(q, k, v, _, _, p) {causal=1}"},
  {LOOSE, QKV(50, 61, 2, 1) "const n: int64[2] = {40, 61}\nconst p: int64[2] = {0, 11}\ny = FusedAttention(q, k, v, _, n, p) {left=7 right=3}"},
  {LOOSE, QKV(3, 61, 2, 2) "const n: int32[2] = {0, 33}\ny = FusedAttention(q, k, v, _, n) {left=20}"},
  {LOOSE, QKV(30, 40, 4, 4) "input m: bool[30,40]\ny = FusedAttention(q, k, v, m)"},
  {LOOSE, QKV(30, 40, 4, 2) "input m: bool[2,1,30,1]\ny = FusedAttention(q, k, v, m)"},
  {LOOSE, QKV(30, 40, 4, 4) "input m: bool[4,1,33]\ny = FusedAttention(q, k, v, m) {mask_pads=1}"},
  {LOOSE, QKV(30, 40, 4, 4) "input m: float32[30,33]\ny = FusedAttention(q, k, v, m) {mask_pads=1 causal=1}"},
  {LOOSE, QKV(30, 40, 4, 4) "input m: float32[2,1,1,40]\ny = FusedAttention(q, k, v, m) {softcap=0.7}"},
  {LOOSE, QKV(30, 40, 4, 4) "input m: float32[2,4,30,1]\ny = FusedAttention(q, k, v, m)"},
  {LOOSE, QKV(1, 40, 4, 2) "input m: float32[2,1,1,40]\ny = FusedAttention(q, k, v, m)"},
  {LOOSE, QKV(1, 40, 4, 2) "input m: bool[2,1,1,40]\ny = FusedAttention(q, k, v, m)"},
  {LOOSE, "input q: float32[2,30,4,20]\ninput k: float32[2,40,2,20]\ninput v: float32[2,2,40,33]\ny = FusedAttention(q, k, v) {swapped=11}"},
  {LOOSE, "input q: float32[2,3,4,20]\ninput k: float32[2,2,40,20]\ninput v: float32[2,40,2,33]\ny = FusedAttention(q, k, v) {swapped=5}"},
#undef QKV

  /* Recurrent. */
  {LOOSE, "input x: float32[9,2,20]\nconst w: float32[1,132,20] = random(3)\nconst r: float32[1,132,33] = random(4)\n"
          "const b: float32[1,264] = random(5)\ny, h, c = LSTM(x, w, r, b) {hidden_size=33}"},
  {LOOSE, "input x: float32[5,1,20]\nconst w: float32[2,128,20] = random(3)\nconst r: float32[2,128,32] = random(4)\ninput h0: float32[2,1,32]\n"
          "input c0: float32[2,1,32]\ny, h, c = LSTM(x, w, r, _, _, h0, c0) {hidden_size=32 direction=\"bidirectional\"}"},
  {LOOSE, "input x: float32[3,4,40]\nconst w: float32[1,1920,40] = random(3)\nconst r: float32[1,1920,480] = random(4)\n"
          "const b: float32[1,3840] = random(5)\ny = LSTM(x, w, r, b) {hidden_size=480 layout=1 direction=\"reverse\"}"},
  {LOOSE, "input x: float32[9,20,24]\nconst w: float32[1,99,24] = random(3)\nconst r: float32[1,99,33] = random(4)\n"
          "const b: float32[1,198] = random(5)\ny, h = GRU(x, w, r, b) {hidden_size=33}"},
  {LOOSE, "input x: float32[9,3,24]\nconst w: float32[2,99,24] = random(3)\nconst r: float32[2,99,33] = random(4)\n"
          "const b: float32[2,198] = random(5)\ninput h0: float32[2,3,33]\n"
          "y, h = GRU(x, w, r, b, _, h0) {hidden_size=33 linear_before_reset=1 direction=\"bidirectional\"}"},
  {LOOSE, "input x: float32[3,2,24]\nconst w: float32[1,1440,24] = random(3)\nconst r: float32[1,1440,480] = random(4)\n"
          "y, h = GRU(x, w, r) {hidden_size=480 linear_before_reset=1}"},

  /* Products; cpu_products_test has more of them. */
  {LOOSE, X4(1, 32, 14, 13) "const w: float32[48,32,3,3] = random(3)\nconst b: float32[48] = random(4)\ny = Conv(x, w, b) {pads=[1,1,1,1]}"},
  {LOOSE, X4(1, 3, 21, 23) "const w: float32[48,3,7,7] = random(3)\ny = Conv(x, w) {pads=[3,3,3,3] strides=[2,2] act=Silu}"},
  {LOOSE, X4(2, 40, 9, 9) "const w: float32[36,40,1,1] = random(3)\ny = Conv(x, w) {act=Quantize act_alpha=20 act_beta=-100}"},
  {LOOSE, X4(1, 40, 9, 9) "const w: float32[40,1,3,3] = random(3)\ny = Conv(x, w) {group=40 pads=[1,1,1,1] act=Quantize act_alpha=30 act_beta=0}"},
  {LOOSE, X4(2, 40, 9, 9) "const w: float32[20,40,1,1] = random(3)\ninput r: float32[2,20,9,9]\ny = Conv(x, w, _, r) {act=Relu}"},
  {LOOSE, X4(1, 32, 9, 8) "const w: float32[32,20,2,2] = random(3)\nconst b: float32[20] = random(4)\ny = ConvTranspose(x, w, b) {strides=[2,2]}"},
  {LOOSE, "input x: float32[9,64]\nconst w: float32[64,50] = random(3)\nconst b: float32[50] = random(4)\ny = MatMul(x, w, b)"},
  {LOOSE, "input x: float32[2,3,9,64]\ninput w: float32[2,3,64,50]\ny = MatMul(x, w)"},
  {LOOSE, X4(1, 64, 14, 14) "const w: float32[64,1,3,3] = random(3)\nconst b: float32[64] = random(4)\n"
          "y = Conv(x, w, b) {group=64 pads=[1,1,1,1] act=Relu}"},
  {LOOSE, X4(2, 72, 15, 13) "const w: float32[72,1,3,3] = random(3)\ny = Conv(x, w) {group=72 pads=[1,1,1,1] strides=[2,2] act=HardSwish}"},
  {LOOSE, X4(1, 40, 7, 7) "const w: float32[40,1,5,5] = random(3)\nconst b: float32[40] = random(4)\ninput r: float32[1,40,7,7]\n"
          "y = Conv(x, w, b, r) {group=40 pads=[2,2,2,2] act=Clip act_alpha=0 act_beta=6}"},
  {LOOSE, X4(1, 96, 14, 14) "const w: float32[96,1,7,7] = random(3)\ny = Conv(x, w) {group=96 pads=[3,3,3,3]}"},
  {LOOSE, X4(1, 17, 14, 14) "const w: float32[17,1,5,5] = random(3)\ny = Conv(x, w) {group=17 pads=[2,2,2,2] strides=[2,2]}"},
  {LOOSE, X4(1, 20, 14, 14) "const w: float32[20,1,3,3] = random(3)\ny = Conv(x, w) {group=20 pads=[2,2,2,2] dilations=[2,2]}"},
  {LOOSE, X4(1, 16, 3, 3) "const w: float32[16,1,3,3] = random(3)\ny = Conv(x, w) {group=16 pads=[1,1,1,1]}"},
  {LOOSE, X4(1, 16, 20, 5) "const w: float32[16,1,4,2] = random(3)\nconst b: float32[16] = random(4)\ny = Conv(x, w, b) {group=16 act=Sigmoid}"},
  {LOOSE, "input x: float32[2,24,40]\nconst w: float32[24,1,5] = random(3)\ny = Conv(x, w) {group=24 pads=[2,2]}"},
};
#endif

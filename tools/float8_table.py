"""Writes tests/base/float8_table.h: what every code of the 8-bit and 4-bit floats stands for, according to the ml_dtypes package (which
ONNX uses too). Usage: python3 tools/float8_table.py > tests/base/float8_table.h"""
import ml_dtypes
import numpy as np

print("/* Written by tools/float8_table.py from the ml_dtypes package. NAN where a code is not a number. */")
for name, kind, codes in [("e4m3fn", ml_dtypes.float8_e4m3fn, 256), ("e4m3fnuz", ml_dtypes.float8_e4m3fnuz, 256),
                          ("e5m2", ml_dtypes.float8_e5m2, 256), ("e5m2fnuz", ml_dtypes.float8_e5m2fnuz, 256),
                          ("e2m1", ml_dtypes.float4_e2m1fn, 16)]:
    values = np.arange(codes, dtype=np.uint8).view(kind).astype(np.float32)
    print(f"static const float {name}[{codes}] = {{")
    line = " "
    for v in values:
        text = "NAN" if np.isnan(v) else ("-" if v < 0 else "") + "INFINITY" if np.isinf(v) else float(v).hex().replace(".0000000000000p", "p")
        text = text.replace("000000000000p", "p").replace("0x0.0p+0", "0.0")
        text = text if text[-1] in "NY" else text + "f"
        if len(line) + len(text) > 147:
            print(line)
            line = " "
        line += " " + text + ","
    print(line + "\n};")

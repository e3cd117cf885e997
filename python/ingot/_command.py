"""The command `ingot`: the program that lies in the package, in this process's place."""
from __future__ import annotations

import os
import sys


def main() -> None:
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "ingot")
    os.execv(program, [program, *sys.argv[1:]])

"""README's Python lines work as they are written."""
import os
import re
import subprocess
import sys

import pytest


@pytest.mark.seconds(240)
def test_readme(package, root, build, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), flags=re.S)
    assert len(blocks) == 1 and "ingot.build" in blocks[0]
    (tmp_path / "models").symlink_to(root / "models")
    script = blocks[0] + "\nassert logits.shape == (2, 2, 512, 512) and outputs['output'].shape == (1, 2, 512, 512)\n"
    env = dict(os.environ, PYTHONPATH=str(build / "python"))
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

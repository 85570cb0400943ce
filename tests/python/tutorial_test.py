# SPDX-License-Identifier: Apache-2.0
"""docs/python.md is one program that prints what it says it prints, and types that mypy understands."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

pytest.importorskip("numpy")

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.M | re.S)
MARK = "\x1e\n"


def test_the_tutorial_prints_what_it_says(tmp_path):
    blocks = BLOCK.findall(PAGE.read_text())
    kinds = [kind for kind, _ in blocks]
    assert kinds == ["python", "text"] * (len(blocks) // 2) and len(blocks) >= 16
    program = "".join(code + f"print({MARK[0]!r})\n" for kind, code in blocks if kind == "python")
    end = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=120, env=dict(os.environ)
    )
    assert (end.returncode, end.stderr) == (0, "")
    assert end.stdout.split(MARK)[:-1] == [text for kind, text in blocks if kind == "text"]

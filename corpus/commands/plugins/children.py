"""Asks a child (`probe.py`) about a plugin: a stranger's code can neither end nor hang nor change the process that asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from corpus.shadows import HOME

MAX_NOISE = 300
"""Characters of a dead child's last words that are shown."""


def ask(
    question: Mapping[str, Any], *, seconds: float, environment: Mapping[str, str] | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """What the child told, line by line, and how it ended where not well.

    `environment` is added to this process' own. `-P` keeps the current folder off the path, where a `plugins/` may lie.
    """
    # The child finds us also where gristmill runs from a checkout that is not installed.
    path = os.pathsep.join(filter(None, [str(HOME), os.environ.get("PYTHONPATH")]))
    told = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {}), "PYTHONPATH": path}
    line = [sys.executable, "-P", "-m", "corpus.commands.plugins.probe"]
    end = None
    # Files, not pipes: what a child of the child holds open must not keep us waiting.
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as noise:
        try:
            done = subprocess.run(
                line,
                input=json.dumps(question).encode(),
                stdout=answers,
                stderr=noise,
                env=told,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            end = f"no end after {seconds:g} s"
        else:
            if done.returncode < 0:
                end = f"its process was ended by signal {-done.returncode}"
            elif done.returncode:
                noise.seek(0)
                last = " ".join(noise.read().decode("utf-8", "replace").split())[-MAX_NOISE:]
                end = f"its process ended with exit code {done.returncode}: {last}".rstrip(": ")
        answers.seek(0)
        return [json.loads(one) for one in answers.read().splitlines() if one.endswith(b"}")], end

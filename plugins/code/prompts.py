r"""Interactive sessions → the code that was typed, without prompts and answers.

    session          begins with     typed lines
    Python           ">>>"           ">>> …", "... …"
    IPython          "In [1]:"       "In [n]: …", "   ...: …"
    shell            "$ "            "$ …", and the lines behind a backslash or inside a quote or here-document are lost: they have no mark
    Ruby (irb)       "irb(main):"    "irb(…)> …", "irb(…)* …"

A text is a session where its first line that is not blank begins with a prompt. Answers become nothing, so that a traceback is no error.
"""

from __future__ import annotations

import re

_SESSIONS = (
    ("python", re.compile(r"[ \t]*>>>(?: (.*))?$"), re.compile(r"[ \t]*\.\.\.(?: (.*))?$")),
    ("python", re.compile(r"[ \t]*In \[\d+\]: ?(.*)$"), re.compile(r"[ \t]*\.\.\.+: ?(.*)$")),
    ("bash", re.compile(r"[ \t]*(?:[\w.-]+@[\w.-]+:[^$\s]*)?\$ (.*)$"), re.compile(r"> (.*)$")),
    ("ruby", re.compile(r"[ \t]*irb\([^)]*\)[^>*]*[>*] ?(.*)$"), re.compile(r"(?!)")),
)


def session(text: str) -> tuple[str, str] | None:
    r"""Language and typed code of an interactive session; None for what is none.

    >>> session(">>> for x in 'ab':\n...     print(x)\n...\na\nb")
    ('python', "for x in 'ab':\n    print(x)\n")
    >>> session("total = 1")
    """
    opening = text.lstrip()[:200].partition("\n")[0]
    for language, first, further in _SESSIONS:
        if first.match(opening):
            return language, _typed(text, first, further)
    return None


def _typed(text: str, first: re.Pattern[str], further: re.Pattern[str]) -> str:
    typed: list[str] = []
    going_on = False
    for line in text.splitlines():
        found = first.match(line) or (further.match(line) if going_on else None)
        going_on = found is not None
        if found is not None:
            typed.append(found[1] or "")
    return "\n".join(typed)

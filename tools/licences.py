"""Check licences: every distribution that gristmill pulls in, and every import of the four packages.

gristmill is Apache-2.0, so its core may stand on permissive and file-level copyleft libraries only. Two checks:

- Each distribution in the dependency closure of the core and of each extra has a licence of the allow-list, or an entry
  in EXCEPTIONS with its reason. The extra `unsloth` may also hold LGPL and AGPL parts: it is used when installed and
  never bundled. Nothing else may.
- Each import in schemas, plugins, corpus and trainer comes from a distribution that pyproject.toml declares. What is
  not declared was never looked at, and would vanish with the release that stops pulling it in.

Licences are read from the installed metadata: License-Expression, then the licence field, then the classifiers.
"""

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).resolve().parent.parent
PACKAGES = ("schemas", "plugins", "corpus", "trainer")

ALLOWED = {
    *(
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
    ),
    *("CNRI-Python", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
    "MPL-2.0",  # copyleft of its own files only, which we do not change
}
"""SPDX names that may be used anywhere."""

ALSO_IN_UNSLOTH = {
    *("LGPL-3.0-only", "LGPL-3.0-or-later", "AGPL-3.0-only", "AGPL-3.0-or-later"),
    "LicenseRef-Apple-sample-code",
}
"""What the extra `unsloth` may hold besides."""

EXCEPTIONS = {
    "codespell": "its code is GPL and never imported; its dictionary, which is CC BY-SA 3.0, is read as data by `spelling`",
    "pypdfium2": "BSD-3-Clause and Apache-2.0; the licences of what PDFium is built from (BSD, MIT, FTL, Zlib and the like) lie in its wheel",
    "pebble": "LGPL; imported as it is and replaceable by its user, so no condition reaches our code",
    "tld": "MPL, LGPL or GPL at choice; taken under the LGPL, unchanged, because courlan needs it",
}
"""Distributions outside the allow-list, each with the reason why it may stay."""

READ_BY_HAND = {
    "cut-cross-entropy": "LicenseRef-Apple-sample-code",  # use and redistribution allowed, no patent grant
    "hf-transfer": "Apache-2.0",
    "pebble": "LGPL-3.0-only",
}
"""Licences that the metadata leaves unclear, read in the licence file that the wheel carries."""

WITH_TORCH = re.compile(r"^(nvidia|cuda)-")
"""What torch's CUDA build brings: proprietary redistributables, chosen by the machine, never bundled."""

SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-2.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""The older ways of naming a licence: classifiers and free text."""


def licence(name: str) -> str:
    """The licence of an installed distribution as an SPDX expression, or as it calls itself."""
    fields = metadata.metadata(name)
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    if expression := fields.get("License-Expression"):
        return expression
    text = (fields.get("License") or "").strip()
    text = SPDX.get(text, text)
    if terms(text) and terms(text) <= ALLOWED:
        return text
    tails = [
        row.split(" :: ")[-1]
        for row in fields.get_all("Classifier") or ()
        if row.startswith("License :: OSI")
    ]
    return " AND ".join(SPDX.get(tail, tail) for tail in tails) or text.partition("\n")[0] or "not named"


def terms(expression: str) -> set[str]:
    """The licences that an expression names."""
    return {term.strip(" ()") for term in re.split(r"\bAND\b|\bOR\b", expression)} - {""}


def allows(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression can be satisfied with allowed licences.

    >>> allows("MIT AND (GPL-2.0-only OR Apache-2.0)", {"MIT", "Apache-2.0"})
    True
    >>> allows("MIT AND GPL-2.0-only", {"MIT"})
    False
    """
    while inner := re.search(r"\(([^()]*)\)", expression):
        verdict = "MIT" if allows(inner[1], allowed) else "refused"
        expression = expression[: inner.start()] + verdict + expression[inner.end() :]
    return any(
        all(term.strip() in allowed for term in re.split(r"\bAND\b", choice))
        for choice in re.split(r"\bOR\b", expression)
    )


def closure(requirements: list[str]) -> set[str]:
    """The names of all installed distributions that some requirements pull in on this machine."""
    todo = [Requirement(row) for row in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        wanted = todo.pop()
        key = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if key in seen:
            continue
        try:
            needs = [Requirement(row) for row in metadata.requires(key[0]) or ()]
        except metadata.PackageNotFoundError:
            continue  # left out of the lock on purpose (triton, torchvision), or another platform's
        seen.add(key)
        todo += [
            need
            for need in needs
            if need.marker is None
            or any(need.marker.evaluate({"extra": extra}) for extra in {"", *wanted.extras})
        ]
    return {name for name, _ in seen}


def imports() -> Iterator[tuple[str, str]]:
    """Each import of the four packages: where it stands, and its top-level module."""
    for path in sorted(path for package in PACKAGES for path in (REPO / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes(), path)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in names:
                yield f"{path.relative_to(REPO)}:{node.lineno}", name.partition(".")[0]


def undeclared(declared: set[str]) -> Iterator[str]:
    """A line for each import whose distribution pyproject.toml does not declare."""
    ours = {*PACKAGES, *sys.stdlib_module_names}
    owners = metadata.packages_distributions()
    for place, module in imports():
        names = {canonicalize_name(owner) for owner in owners.get(module, ())}
        # What is not installed here is known by its own name: presidio_analyzer is of presidio-analyzer.
        if module in ours or (names or {canonicalize_name(module)}) & declared:
            continue
        comes = f"comes with {', '.join(sorted(names))}, which" if names else "is of a distribution that"
        yield f"{place}  imports {module}: it {comes} pyproject.toml does not declare"


def main() -> int:
    """Print one line for each group and a table of offenders; 1 if there is any."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    offenders: list[str] = []
    known: set[str] = set()
    for group, requirements in groups.items():
        names = closure([row for row in requirements if not row.startswith("gristmill")]) - known
        known |= names if group in {"core", "train"} else set()
        allowed = ALLOWED | ALSO_IN_UNSLOTH if group == "unsloth" else ALLOWED
        found = {name: licence(name) for name in sorted(names) if not WITH_TORCH.match(name)}
        bad = [name for name, words in found.items() if name not in EXCEPTIONS and not allows(words, allowed)]
        offenders += [f"{group:8} {name:28} {found[name]}" for name in bad]
        counts = Counter(found.values()).most_common()
        print(f"{group:8} {len(found):3} distributions: {', '.join(f'{words} {n}' for words, n in counts)}")
        print(
            "".join(f"         kept: {name} ({why})\n" for name, why in EXCEPTIONS.items() if name in found),
            end="",
        )
    declared = {canonicalize_name(Requirement(row).name) for rows in groups.values() for row in rows}
    offenders += undeclared(declared)
    if offenders:
        print("\nOutside the allow-list of tools/licences.py:", *offenders, sep="\n  ", file=sys.stderr)
        print(
            "Replace it, or add it to pyproject.toml (an import) or to EXCEPTIONS with its reason (a licence).",
            file=sys.stderr,
        )
    return 1 if offenders else 0


if __name__ == "__main__":
    sys.exit(main())

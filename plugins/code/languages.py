"""The programming languages that are understood: their names, their files' endings, and where their grammar lies.

Grammars are tree-sitter's, one wheel a language (extra `code`). Rejected: tree-sitter-language-pack, which fetches grammars at run time;
Pygments, whose lexers know no syntax; compilers, which want a whole project and, some of them, run what they read.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from schemas.errors import missing_extra


@dataclass(frozen=True, slots=True)
class Language:
    """One language."""

    name: str
    grammars: tuple[tuple[str, str], ...]
    """Module and function of each dialect's grammar; where the first meets errors the others are tried, and the fewest errors win."""
    suffixes: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    """Further names, as fences and data sets write them."""

    @property
    def distribution(self) -> str:
        """The wheel that holds its grammar."""
        return self.grammars[0][0].replace("_", "-")


LANGUAGES = (
    Language(
        "python",
        (("tree_sitter_python", "language"),),
        ("py", "pyi", "pyw"),
        ("py", "python3", "py3", "ipython", "ipython3"),
    ),
    Language(
        "javascript",
        (("tree_sitter_javascript", "language"),),
        ("js", "mjs", "cjs", "jsx"),
        ("js", "jsx", "node", "mjs", "ecmascript"),
    ),
    Language(
        "typescript",
        (("tree_sitter_typescript", "language_typescript"), ("tree_sitter_typescript", "language_tsx")),
        ("ts", "tsx", "mts", "cts"),
        ("ts", "tsx"),
    ),
    Language("java", (("tree_sitter_java", "language"),), ("java",)),
    Language(
        "c", (("tree_sitter_c", "language"), ("tree_sitter_cpp", "language")), ("c", "h"), ("h", "ansi-c")
    ),
    Language(
        "cpp",
        (("tree_sitter_cpp", "language"),),
        ("cpp", "cc", "cxx", "hpp", "hh", "hxx", "ipp", "inl"),
        ("c++", "cxx", "cc", "hpp"),
    ),
    Language("go", (("tree_sitter_go", "language"),), ("go",), ("golang",)),
    Language("rust", (("tree_sitter_rust", "language"),), ("rs",), ("rs",)),
    Language(
        "csharp", (("tree_sitter_c_sharp", "language"),), ("cs", "csx"), ("cs", "c#", "c-sharp", "dotnet")
    ),
    Language(
        "php",
        (("tree_sitter_php", "language_php"), ("tree_sitter_php", "language_php_only")),
        ("php", "phtml"),
        ("php3", "php5"),
    ),
    Language("ruby", (("tree_sitter_ruby", "language"),), ("rb", "rake", "gemspec"), ("rb", "irb", "jruby")),
    Language(
        "bash",
        (("tree_sitter_bash", "language"),),
        ("sh", "bash", "zsh", "ksh"),
        ("sh", "shell", "zsh", "ksh"),
    ),
)
"""In the order in which ties are broken."""

BY_NAME = {language.name: language for language in LANGUAGES}
_NAMES = {alias: language for language in LANGUAGES for alias in (language.name, *language.aliases)}
_SUFFIXES = {suffix: language for language in LANGUAGES for suffix in language.suffixes}
_SHEBANG = re.compile(r"#![^\n]*?\b(python|node|deno|ruby|php|bash|zsh|ksh|dash|sh)[\d.]*(?:\s|\Z)")
_INTERPRETERS = {"node": "javascript", "deno": "typescript", "zsh": "bash", "ksh": "bash", "dash": "bash", "sh": "bash"}  # fmt: skip

DISTRIBUTIONS = ("tree-sitter", *dict.fromkeys(language.distribution for language in LANGUAGES))
"""The wheels of the extra `code`."""


def named(name: str) -> Language | None:
    """The language that goes by this name, in any case; None for one that is not understood.

    >>> named("C++").name, named("haskell")
    ('cpp', None)
    """
    return _NAMES.get(name.strip().lower())


def of_suffix(locator: str) -> Language | None:
    """The language of a file by the ending of its name; an address on the web says nothing: ".php" there serves HTML.

    >>> of_suffix("src/main.rs").name, of_suffix("https://a.example/index.php")
    ('rust', None)
    """
    if "://" in locator:
        return None
    stem = re.sub(r"\.(?:gz|zst)\Z", "", locator)
    return _SUFFIXES.get(stem.rpartition(".")[2].lower()) if "." in stem else None


def of_shebang(text: str) -> Language | None:
    """The language of a script by its first line, as in "#!/usr/bin/env python3"."""
    found = _SHEBANG.match(text[:200])
    return BY_NAME[_INTERPRETERS.get(found[1], found[1])] if found else None


def require(what: str) -> None:
    """Raises MissingExtra where tree-sitter or one of the grammars is not installed; loads none."""
    modules = {"tree_sitter", *(module for language in LANGUAGES for module, _ in language.grammars)}
    if any(importlib.util.find_spec(module) is None for module in sorted(modules)):
        raise missing_extra("code", what)


@cache
def grammar(module: str, function: str) -> Any:
    """A tree_sitter.Language. Raises MissingExtra without its wheel."""
    try:
        import tree_sitter

        made = importlib.import_module(module)
    except ImportError:
        raise missing_extra("code", f"reading code by {module}") from None
    return tree_sitter.Language(getattr(made, function)())

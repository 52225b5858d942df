"""Jinja for templates nobody has read: what chat templates use, and nothing that can escape, hang, or fill memory.

It renders what transformers renders (`trim_blocks`, `lstrip_blocks`, loop controls, `{% generation %}` passed through, `tojson`,
`raise_exception`), with one difference: `strftime_now` is always 26 July 2024, the date Llama 3.1's template falls back to, since a corpus must not depend on the day it is built.

jinja2's ImmutableSandboxedEnvironment keeps a template from Python's insides and from changing what it is given. Added here:
an allow-list of filters, tests, globals and methods (those of published chat templates); no include, import, extends or blocks; and a
`Meter` on every loop, macro, call, operator, filter and value. To that end the parsed template is rewritten: ticks are put in, and `~`,
slices and literals of lists become calls of the environment.

Rejected: a child process with limits for each rendering, which costs a thousand times as much and stops at another place on each machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import wraps
from threading import RLock
from typing import Any, NoReturn, cast

from jinja2 import TemplateError, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.ext import loopcontrols
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from plugins.formats.templates.meter import ENTRY, Meter, TemplateFault
from plugins.formats.templates.rewriting import FILTERS, TESTS, Generation, rewritten

TODAY = datetime(2024, 7, 26)  # noqa: DTZ001  only ever written out, and it has no zone in a template
RANGE = 10_000
DIGITS = 64
"""Bits of a number a template may compute."""
INDENT = 16

METHODS: dict[type, frozenset[str]] = {
    str: frozenset([
        "capitalize",
        "count",
        "endswith",
        "find",
        "index",
        "isalnum",
        "isalpha",
        "isdigit",
        "isspace",
        "islower",
        "isupper",
        "join",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "replace",
        "rfind",
        "rindex",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "title",
        "upper",
    ]),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "index"}),
    dict: frozenset({"get", "items", "keys", "values"}),
}
PLACES = 16
"""Digits that a number may be rounded to."""
SIZED = (str, list, tuple)
ITERATORS = (type({}.items()), type({}.keys()), type({}.values()))  # type: ignore[var-annotated]


class Sandbox(ImmutableSandboxedEnvironment):
    """One environment, one rendering at a time (a lock sees to that)."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # constants would be computed while the template is read, outside any rendering
            extensions=[Generation, loopcontrols],
            finalize=self._shown,
            cache_size=0,
        )
        self.meter, self.lock = Meter(), RLock()
        self.filters = {name: self._metered(name, self.filters[name]) for name in sorted(FILTERS)}
        self.filters |= {"tojson": self._metered("tojson", self._tojson), "string": self.text}
        self.tests = {
            name: self._counted(cast(Callable[..., Any], test))
            for name, test in self.tests.items()
            if name in TESTS
        }
        self.globals = {
            "range": self._range,
            "namespace": Namespace,
            "dict": dict,
            "raise_exception": _raise,
            "strftime_now": _today,
        }

    # What the rewritten template calls.

    def tick(self, steps: int = 1) -> None:
        """In every loop and macro, and beside long literal text."""
        self.meter.tick(steps)

    def weigh(self, value: Any) -> Any:
        """`[a, b]`, `(a, b)`, `{a: b}`."""
        return self.meter.weigh(value)

    def read(self, value: Any) -> Any:
        """What is compared: as large as it is."""
        self.meter.tick(1 + (len(value) // 64 if isinstance(value, str | list | tuple | dict) else 0))
        return value

    def joined(self, *values: Any) -> str:
        """`a ~ b`."""
        texts = [self.text(value) for value in values]
        self.meter.room(sum(map(len, texts)), "~")
        return "".join(texts)

    def slice(self, value: Any, *bounds: Any) -> Any:
        """`value[a:b:c]`."""
        if not isinstance(value, str | list | tuple):
            raise TemplateFault(f"it slices a {type(value).__name__}")
        self.meter.tick(1 + len(value) // 64)
        return value[slice(*(bound if isinstance(bound, int) else None for bound in bounds))]

    def text(self, value: Any) -> str:
        """What a value looks like where it is written out. Raises TemplateFault for what has no business there."""
        if isinstance(value, str):
            return value
        if isinstance(value, list | tuple | dict):
            self.meter.weigh(value)
        elif not isinstance(value, int | float | bool | None | Undefined):
            raise TemplateFault(f"it writes out a {type(value).__name__}, which is no text")
        return str(value)

    # What jinja2 calls.

    @pass_context  # so that jinja2 does not compute constant output while it reads the template
    def _shown(self, _context: Context, value: Any) -> str:
        shown = self.text(value)
        self.meter.room(len(shown), "its output")
        return shown

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`+ * ** %`, the last three not on texts that could grow."""
        if operator == "+" and isinstance(left, SIZED) and isinstance(right, SIZED):
            self.meter.room(_size(left) + _size(right), "+")
        elif operator == "*" and (isinstance(left, SIZED) or isinstance(right, SIZED)):
            times, value = (left, right) if isinstance(left, int) else (right, left)
            self.meter.room(_size(value) * max(0, times if isinstance(times, int) else 0), "*")
        elif operator == "%" and isinstance(left, str):
            raise TemplateFault('it formats text with "%"; write it with ~ instead')
        elif operator in {"*", "**"}:
            _bounded(operator, left, right)
        return self.meter.weigh(super().call_binop(context, operator, left, right))

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Everything a template calls comes by here."""
        self.meter.tick()
        if isinstance(owner := getattr(obj, "__self__", None), str):
            self._grow(obj.__name__, owner, args)
            if obj.__name__ == "join":
                args = tuple(list(self.meter.walk(arg)) for arg in args)
        elif isinstance(obj, type) and obj not in (Namespace, dict):
            raise SecurityError(f"{obj.__name__} may not be called")
        found = super().call(context, obj, *args, **kwargs)
        if owner is self:
            return found  # what the rewritten template calls counts for itself
        return self.meter.weigh(list(found) if isinstance(found, ITERATORS) else found)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Only methods that chat templates use."""
        if not super().is_safe_attribute(obj, attr, value):
            return False
        known = next((names for kind, names in METHODS.items() if isinstance(obj, kind)), None)
        if known is not None:
            return attr in known
        return type(obj).__module__ == "jinja2.runtime" or isinstance(obj, Namespace)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """No `"…".format`: a width in it is a bomb. What is left here is refused by `is_safe_attribute`."""
        return None

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return rewritten(super()._parse(source, name, filename))

    # Bounded versions of what could grow.

    def _metered(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A filter that counts what it reads and what it makes; one that takes the context or environment first gets it first."""
        at = 1 if hasattr(function, "jinja_pass_arg") else 0

        @wraps(function)
        def metered(*args: Any, **kwargs: Any) -> Any:
            given = list(args)
            value = given[at] if len(given) > at else None
            if isinstance(value, str):
                self._grow(name, value, tuple(given[at + 1 :]), kwargs)
            elif isinstance(value, list | tuple | dict):
                self.meter.tick(1 + len(value))
            elif isinstance(value, Iterator):
                given[at] = self.meter.walk(value)
            if name == "join":
                given[at] = [self.text(one) for one in given[at] or ()]
                gap = given[at + 1] if len(given) > at + 1 else kwargs.get("d", "")
                self.meter.room(sum(map(len, given[at])) + len(str(gap)) * len(given[at]), "join")
            if name == "round":
                _precise(*given[at + 1 :], **kwargs)
            found = function(*given, **kwargs)
            return self.meter.weigh(found)

        return metered

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A test that counts what it reads."""

        @wraps(function)
        def counted(*args: Any) -> Any:
            for arg in args:
                self.read(arg)
            return function(*args)

        return counted

    def _grow(
        self, name: str, value: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
    ) -> None:
        """Count a text that a method or filter of this name reads, and the one it may make of it."""
        size = len(value)
        named = kwargs or {}
        if name == "replace" and len(args) + len(named) >= 2:
            old, new = (
                (*args, named.get("old"), named.get("new"))[:2]
                if len(args) != 1
                else (args[0], named.get("new"))
            )
            size += value.count(str(old)) * len(str(new)) if old != "" else (size + 1) * len(str(new))
        elif name == "join":
            size = sum(len(one) + size for one in args[0] if isinstance(one, str)) if args else size
        elif name == "indent":
            width = args[0] if args else named.get("width", 4)
            size += (value.count("\n") + 1) * (width if isinstance(width, int) else len(str(width)))
        self.meter.room(size, name)

    def walk(self, value: Any) -> Any:
        """What a loop with an `if` goes through, whatever of it comes in."""
        return self.meter.walk(value)

    def _range(self, *bounds: int) -> range:
        found = range(*bounds)
        if len(found) > RANGE:
            raise TemplateFault(f"range of {len(found):,}; at most {RANGE:,} are allowed")
        return found

    def _tojson(self, value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:  # noqa: FBT001, FBT002  as transformers has it  # fmt: skip
        self.meter.weigh(value)
        if indent is not None and not (isinstance(indent, int) and 0 <= indent <= INDENT):
            raise TemplateFault(f"tojson(indent={indent!r}); at most {INDENT} is allowed")
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )


def _precise(precision: Any = 0, method: Any = "common") -> None:
    """jinja2 raises ten to the precision, in one step that no clock interrupts."""
    del method
    if not isinstance(precision, int) or abs(precision) > PLACES:
        raise TemplateFault(f"round to {precision!r} digits; at most {PLACES} are allowed")


def _size(value: Any) -> int:
    return len(value) * (1 if isinstance(value, str) else ENTRY)


def _bounded(operator: str, left: Any, right: Any) -> None:
    """Raise TemplateFault where the result would be a giant number."""
    bits = [value.bit_length() if isinstance(value, int) else DIGITS for value in (left, right)]
    needed = bits[0] * abs(right) if operator == "**" and isinstance(right, int) else sum(bits)
    if needed > 2 * DIGITS:
        raise TemplateFault(f"{operator} of numbers this large is not allowed")


def _raise(message: object) -> NoReturn:
    raise TemplateError(str(message))


def _today(form: str) -> str:
    if len(form) > 64:
        raise TemplateFault("strftime_now takes a short pattern")
    return TODAY.strftime(form)

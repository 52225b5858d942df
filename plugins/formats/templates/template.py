"""A chat template taken in from a model, a file or by name: its full text, and what it needs to know of the tokenizer.

`Taken` is what a format keeps: plain values, so that the template is part of the format's identity and of what an adapter remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from jinja2 import Template as Compiled, TemplateError
from jinja2.exceptions import TemplateRuntimeError
from pydantic import BaseModel, ConfigDict

from plugins.formats.templates.meter import Meter, TemplateFault
from plugins.formats.templates.sandbox import Sandbox

LONGEST = 200_000
"""Characters of a template; the longest published one has 20 000."""

Turn = tuple[str, str]
"""Role and what is said, as a template reads them."""


class Taken(BaseModel):
    """What was taken in."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    source: str
    """Where it came from, for people: "chatml", "the model's own"."""
    text: str
    variables: dict[str, str] = {}
    """Tokens by the names templates use: bos_token, eos_token …"""
    end: str = ""
    """What the template writes after a model's turn, up to and with the token that ends it."""
    lead: str = ""
    """White space between what asks the model to speak and what it says: the model writes it, so it is trained."""
    system: bool = True
    """Whether it shows system turns; where False, their text is put in front of the first user turn."""

    def render(self, turns: Sequence[Turn], *, ask: bool = False, char: str = "") -> str:
        """A conversation as the template writes it; with `ask`, with what makes the model speak. `char` is the name of the model's part, for
        templates that show it.

        Raises TemplateFault where it cannot.
        """
        messages = [{"role": role, "content": content} for role, content in turns]
        with _SANDBOX.lock:
            _SANDBOX.meter = Meter.of(len(turns), sum(len(content) for _, content in turns))
            try:
                return _compiled(self.text).render(
                    **self.variables,
                    messages=messages,
                    tools=None,
                    documents=None,
                    add_generation_prompt=ask,
                    char=char,
                )
            except TemplateFault:
                raise
            except RecursionError:
                raise TemplateFault("it calls itself without end") from None
            except TemplateRuntimeError as error:
                raise TemplateFault(f"it cannot be run: {error}") from None
            except TemplateError as error:  # what templates themselves raise with raise_exception, above all
                raise TemplateFault(f"it says: {error}") from None
            except Exception as error:  # noqa: BLE001  a template may make Python raise whatever it can
                raise TemplateFault(f"it cannot be run: {type(error).__name__}: {error}") from None


_SANDBOX = Sandbox()


@lru_cache(maxsize=16)
def _compiled(text: str) -> Compiled:
    """Raises TemplateFault for what is no template, or no harmless one."""
    if len(text) > LONGEST:
        raise TemplateFault(f"it has {len(text):,} characters; at most {LONGEST:,} are allowed")
    try:
        return _SANDBOX.from_string(text)
    except TemplateFault:
        raise
    except TemplateError as error:
        line: Any = getattr(error, "lineno", None)
        raise TemplateFault(f"it is not Jinja: {error}" + (f" (line {line})" if line else "")) from None
    except RecursionError:
        raise TemplateFault("it is nested too deeply") from None
    except Exception as error:  # noqa: BLE001  Python's compiler and jinja2's lexer raise SyntaxError, ValueError, MemoryError
        raise TemplateFault(f"it cannot be read: {type(error).__name__}: {error}") from None

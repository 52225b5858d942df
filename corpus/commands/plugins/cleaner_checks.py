"""What a cleaner owes: a text or edits that fit, the same each time, and nothing more to do the second time."""

from __future__ import annotations

from collections.abc import Sequence

from corpus.commands.plugins.case import Case
from corpus.commands.plugins.outcomes import Broken, Check, shown
from corpus.phases.edits import apply, diff
from plugins.contracts import Edit
from schemas.fingerprint import digest

LONGEST_SPAN = 40
"""Characters of what is taken out, where it is put into itself."""
MAX_SPANS = 60


def answers(case: Case) -> str:
    """Every text gets a text or a list of edits, whatever it holds."""
    changed = 0
    for text in sorted(case.texts, key=len):
        try:
            result = case.plugin.clean(text)
        except Exception as error:
            raise Broken(
                f"{type(error).__name__} on {shown(text)}: {error}",
                "return the text as it is where there is nothing to do; an exception costs the document",
            ) from error
        changed += _checked(text, result) != text
    return f"{len(case.texts)} texts, " + (
        f"{changed} changed"
        if changed
        else "none changed: put one that it changes into the project's sample/ as .txt"
    )


def _checked(text: str, result: object) -> str:
    """The text that a result makes. Raises Broken for one that makes none."""
    if isinstance(result, str):
        after = result
    elif isinstance(result, list) and all(isinstance(edit, Edit) for edit in result):
        after = _edited(text, result)
    else:
        raise Broken(
            f"{type(result).__name__} for {shown(text)}",
            "return the new text, or a list of plugins.contracts.Edit",
        )
    try:
        after.encode()
    except UnicodeEncodeError as error:
        raise Broken(
            f"half a surrogate pair in what it makes of {shown(text)}",
            "cut between code points only: no table can hold half a surrogate pair",
        ) from error
    return after


def _edited(text: str, edits: Sequence[Edit]) -> str:
    odd = [edit for edit in edits if [type(edit.start), type(edit.end), type(edit.after)] != [int, int, str]]
    if odd:
        raise Broken(f"{odd[0]!r} for {shown(text)}", "Edit takes two integers and a text")
    try:
        return apply(text, edits)
    except ValueError as error:
        raise Broken(
            f"{error}, for {shown(text)}",
            "return edits in ascending order that do not overlap, counted in characters of the text as it was given",
        ) from error


def made_of(case: Case, text: str) -> str:
    """What it makes of one text."""
    return _checked(text, case.plugin.clean(text))


def idempotent(case: Case) -> str:
    """What is clean stays as it is: also where what goes has a copy of itself inside, which it leaves behind."""
    tried = list(dict.fromkeys((*sorted(case.texts, key=len), *_nested(_dropped(case)))))
    for text in tried:
        once = made_of(case, text)
        twice = made_of(case, once)
        if once != twice:
            raise Broken(
                f"{shown(text)} becomes {shown(once)}, and that {shown(twice)}",
                "repeat until nothing changes, or match so that what a change leaves behind is no match again",
            )
    return f"{len(tried)} texts twice"


def _dropped(case: Case) -> list[str]:
    """What it takes out of the texts, the shortest first."""
    found: dict[str, None] = {}
    for text in case.texts:
        result = case.plugin.clean(text)
        edits = diff(text, result) if isinstance(result, str) else result
        found.update({
            text[edit.start : edit.end]: None for edit in edits if len(edit.after) < edit.end - edit.start
        })
    return sorted((span for span in found if len(span) <= LONGEST_SPAN), key=len)[:MAX_SPANS]


def _nested(spans: Sequence[str]) -> list[str]:
    """Each span with a copy of itself at every place inside."""
    return [span[:at] + span + span[at:] for span in spans for at in range(1, len(span))]


def deterministic(case: Case) -> None:
    """The same text gives the same, by the same instance and by another."""
    other = case.spec.make()
    for text in sorted(case.texts, key=len):
        first = made_of(case, text)
        if made_of(case, text) != first or _checked(text, other.clean(text)) != first:  # type: ignore[attr-defined]
            raise Broken(
                f"two calls differ on {shown(text)}",
                "keep no state between texts, and draw no random numbers: hash the text where you need chance",
            )


def column(case: Case) -> None:
    """`clean_column` does as `clean`, in any company."""
    for given in (list(case.texts), list(reversed(case.texts)), []):
        results = list(case.plugin.clean_column(given))
        if len(results) != len(given):
            raise Broken(
                f"clean_column gave {len(results)} results for {len(given)} texts",
                "return one result a text, in order",
            )
        for text, result in zip(given, results, strict=True):
            if _checked(text, result) != made_of(case, text):
                raise Broken(
                    f"clean_column and clean differ on {shown(text)}",
                    "let a text's result depend on that text alone; or leave `clean_column` out",
                )


def cleaned(case: Case) -> dict[str, str]:
    """Digests of what it makes of every text."""
    found = {}
    for text in case.texts:
        try:
            found[shown(text)] = digest(made_of(case, text).encode())
        except Exception as error:  # noqa: BLE001  told by `answers`
            found[shown(text)] = type(error).__name__
    return found


CHECKS: Sequence[tuple[str, Check]] = (
    ("a text or edits that fit", answers),
    ("idempotent", idempotent),
    ("deterministic", deterministic),
    ("a column is its texts", column),
)

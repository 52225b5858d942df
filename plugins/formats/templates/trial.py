"""A template is tried before a build begins: one that would train nothing, the wrong turns, or answers that never end is refused with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from plugins.formats.templates.anatomy import Anatomy, take_apart
from plugins.formats.templates.meter import TemplateFault
from plugins.formats.templates.template import Taken, Turn
from schemas.errors import UserError

ASKED, SAID = "Who goes there?", "A friend, and cold."
SYSTEM: Turn = ("system", "You keep an inn.")
SHORT: tuple[Turn, ...] = (("user", ASKED), ("assistant", SAID))
LONG: tuple[Turn, ...] = (*SHORT, ("user", "Come in, then."), ("assistant", "Gladly."))
OTHERS = 'Or name one that ends with the tokenizer\'s own end token: template = "alpaca", "metharme", "pygmalion" or "vicuna".'
MEND = f"Mend it. {OTHERS}"


def tried(template: Taken, special: Sequence[str]) -> Taken:
    """The template with what the trial found: its end mark, lead, and whether it shows system turns.

    `special` are the tokenizer's special tokens. Raises UserError with the reason.
    """
    try:
        short, long = take_apart(template, SHORT), take_apart(template, LONG)
    except TemplateFault as fault:
        raise UserError(
            f"chat template {template.source}: {fault}. The model would learn nothing, or the wrong turns. {MEND}"
        ) from None
    for turns, anatomy in ((SHORT, short), (LONG, long)):
        for (role, content), shown in zip(turns, anatomy.shown, strict=True):
            if shown != content:
                raise UserError(
                    f"chat template {template.source} writes {shown!r} where the {role} says {content!r}: the model would learn what nobody said. "
                    + MEND
                )
    end = _end(template, short, special)
    if not long.between[2].startswith(end):
        raise UserError(
            f"chat template {template.source} ends the model's last turn with {end!r}, but an earlier one with {long.between[2]!r}: "
            f"how a turn ends would be taught two ways. {MEND}"
        )
    return template.model_copy(
        update={"end": end, "lead": _lead(template, short), "system": _shows_system(template)}
    )


def _end(template: Taken, short: Anatomy, special: Sequence[str]) -> str:
    """From what the model says to the end of the first special token after it."""
    tail = short.between[-1]
    found = [(tail.index(token), -len(token), token) for token in special if token and token in tail]
    if not found:
        token = template.variables.get("eos_token") or "the end token"
        written = f"writes {tail!r}" if tail.strip() else "writes nothing"
        raise UserError(
            f"chat template {template.source} {written} after what the model says, and none of the tokenizer's special tokens: an answer "
            f"would never stop. In a template of your own write {{{{ eos_token }}}} there ({token}). {OTHERS}"
        )
    at, _, token = min(found)
    return tail[: at + len(token)]


def _lead(template: Taken, short: Anatomy) -> str:
    """White space that comes after the generation prompt and before what the model says.

    Raises UserError where the model would be asked with other words than it was trained after.
    """
    head = short.between[0] + short.shown[0] + short.between[1]
    try:
        asked = template.render(SHORT[:1], ask=True)
    except TemplateFault:
        return ""  # it renders only whole exchanges; `chat` asks with what stands before an answer, not with this
    if not (head.startswith(asked) or asked.startswith(head)):
        raise UserError(
            f"chat template {template.source} asks the model to speak with {asked[-40:]!r}, but before what it says it writes {head[-40:]!r}: "
            f"the wrong turns would be trained. {MEND}"
        )
    rest = head.removeprefix(asked) if head.startswith(asked) else ""
    return rest if rest.isspace() else ""


def _shows_system(template: Taken) -> bool:
    """Whether a system turn is shown, and before the first user turn."""
    try:
        return take_apart(template, (SYSTEM, *LONG)).shown[0] == SYSTEM[1]
    except TemplateFault:
        return False

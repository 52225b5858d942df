"""An Ollama Modelfile: what Ollama asks a run's model with.

Ollama does not read chat templates in Jinja; it wants Go's. A run's template is known only as a program, so it is taken apart as the format takes it
apart (`templates.anatomy`): what it writes before the first turn, between turns, and after the model's. Those pieces make a
Go template, if conversations of other lengths have the same ones; the golden check then renders it beside the format.

Rules of Ollama's own that this follows (its template/template.go and parser/parser.go, read at its state of August 2026): `.System` is all system turns joined
by blank lines; `.Messages` still holds them; turns of one side in a row come joined; characters that Go does not print are dropped from a Modelfile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugins.formats.chat import CHAR
from plugins.formats.templates.anatomy import take_apart
from plugins.formats.templates.meter import TemplateFault
from schemas.errors import UserError
from trainer.exports.spoken import Spoken

if TYPE_CHECKING:
    from plugins.formats.templates.template import Taken

CONTEXT = 4096
"""Tokens of context that Ollama is told to make room for, where the run's rows were shorter; Ollama's own default."""
TALK = (("user", "Who goes?"), ("assistant", "A friend."), ("user", "Come in."), ("assistant", "Gladly."), ("user", "Sit."))  # fmt: skip
SYSTEM = ("system", "You keep an inn.")


@dataclass(frozen=True)
class Pieces:
    """What a template writes around turns."""

    head: str
    """Before the first user turn, where there is no system turn."""
    before_system: str
    after_system: str
    """Up to the first user turn."""
    ask: str
    """After a user turn, up to what the model says."""
    lead: str
    """White space that the model itself writes first."""
    again: str
    """After the model's turn, up to the next user turn."""


def go_template(spoken: Spoken) -> str:
    """The Go template. Raises UserError for one that no pieces make up."""
    if spoken.form is None or spoken.form.taken is None:
        return "{{ .Prompt }}"
    taken, speaker = spoken.form.taken, spoken.form.speaker()
    pieces = _pieces(taken, speaker if speaker and CHAR.fullmatch(speaker) else "")
    # What opens each user turn, the mark that ends the model's left out.
    heads = [pieces.head, *([pieces.after_system] if taken.system else [])]
    shared = _shared_end(*heads, pieces.again.removeprefix(taken.end))
    opening = _literal(pieces.head.removesuffix(shared))
    system = ""
    first = ""
    if taken.system:
        before, after = pieces.before_system, pieces.after_system.removesuffix(shared)
        opening = (
            "{{ if .System }}" + _literal(before) + "{{ .System }}" + _literal(after) + "{{ else }}" + opening + "{{ end }}"
        )  # fmt: skip
    else:
        first = "{{ $first := true }}"
        system = '{{ if $first }}{{ $first = false }}{{ if $.System }}{{ $.System }}{{ "\\n\\n" }}{{ end }}{{ end }}'
    user = _literal(shared) + system + "{{ .Content }}" + _literal(pieces.ask)
    last = "{{ if gt (len (slice $.Messages $i)) 1 }}"
    model = (
        _lead(pieces.lead)
        + "{{ .Content }}"
        + last
        + _literal(pieces.again.removesuffix(shared))
        + "{{ end }}"
    )
    return (
        f'{first}{opening}{{{{ range $i, $_ := .Messages }}}}{{{{ if eq .Role "user" }}}}{user}'
        f'{{{{ else if eq .Role "assistant" }}}}{model}{{{{ end }}}}{{{{ end }}}}'
    )


def _pieces(taken: Taken, char: str) -> Pieces:
    """The pieces, where every turn has the same."""
    try:
        plain = take_apart(taken, TALK, char).between
        named = take_apart(taken, (SYSTEM, *TALK), char).between if taken.system else ("", *plain)
    except TemplateFault as fault:
        raise UserError(_irregular(taken, str(fault))) from None
    for talk in (plain, named[1:]):
        if talk[1] != talk[3] or talk[2] != talk[4] or talk[1:] != plain[1:]:
            raise UserError(
                _irregular(taken, "it writes something else around later turns than around the first")
            )
    ask = plain[1]
    lead = taken.lead if ask.endswith(taken.lead) else ""
    return Pieces(plain[0], named[0], named[1], ask.removesuffix(lead), lead, plain[2])


def _irregular(taken: Taken, why: str) -> str:
    return (
        f"the chat template {taken.source} cannot be written for Ollama: {why}. Export with --to gguf: llama.cpp reads the template "
        "itself, from the file (llama-server --jinja -m model.gguf)"
    )


def _shared_end(*texts: str) -> str:
    """The longest text that all end with: what opens a user turn."""
    size = 0
    while size < min(map(len, texts)) and len({text[-1 - size] for text in texts}) == 1:
        size += 1
    return texts[0][len(texts[0]) - size :]


def _lead(lead: str) -> str:
    """The white space before an answer, unless what Ollama kept of it still begins with that."""
    if not lead:
        return ""
    size, quoted = len(lead.encode()), _quoted(lead)
    starts = f"and (gt (len .Content) {size - 1}) (eq (slice .Content 0 {size}) {quoted})"
    return f"{{{{ if not ({starts}) }}}}{{{{ {quoted} }}}}{{{{ end }}}}"


def _literal(text: str) -> str:
    """Text as a Go template writes it plainly; quoted where braces, quotes or what Go does not print would be read otherwise."""
    if not text:
        return ""
    plain = all(one.isprintable() or one == "\n" for one in text)
    if (
        plain
        and "{{" not in text
        and "}}" not in text
        and '"""' not in text
        and not text.startswith('"')
        and not text.endswith(('"', "{"))
    ):
        return text
    return f"{{{{ {_quoted(text)} }}}}"


def _quoted(text: str) -> str:
    r"""A Go string.

    >>> print(_quoted('a "b"\n'))
    "a \"b\"\n"
    """
    known = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return (
        '"'
        + "".join(known.get(one) or (one if one.isprintable() else f"\\u{ord(one):04x}") for one in text)
        + '"'
    )


def modelfile(spoken: Spoken, record: Any, config: Any, *, file: str = "model.gguf") -> str:
    """The Modelfile's text: FROM, TEMPLATE, SYSTEM, stop marks and the length of the context."""
    from trainer.exports.gguf import context_length

    lines = [
        f"# {record.run}, trained on {record.corpus}. Load it with: ollama create {record.run.partition('/')[0]} -f Modelfile",
        f"FROM ./{file}",
        f'TEMPLATE """{go_template(spoken)}"""',
    ]
    if system := spoken.system:
        if '"""' in system or not all(one.isprintable() or one == "\n" for one in system):
            lines.append(
                '# The recipe\'s system turn holds """ or a character that Ollama may drop (a no-break space …), which a Modelfile cannot say: pass it yourself.'
            )
        else:
            lines.append(f'SYSTEM """{system}"""')
    elif spoken.form is not None and spoken.form.lacks_system():
        lines.append(
            "# Rows had a system turn that names what only a document tells (a character …): say your own with SYSTEM."
        )
    lines += [f'PARAMETER stop "{mark}"' for mark in spoken.marks]
    lines.append(f"PARAMETER num_ctx {min(context_length(config), max(CONTEXT, record.max_length))}")
    return "\n".join(lines) + "\n"


def template_of(text: str) -> str:
    """The TEMPLATE of a Modelfile."""
    return text.partition('\nTEMPLATE """')[2].partition('"""\n')[0]


def system_of(text: str) -> str:
    """The SYSTEM of a Modelfile, empty where it has none."""
    return text.partition('\nSYSTEM """')[2].partition('"""\n')[0]

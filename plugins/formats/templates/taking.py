"""Where a template comes from: the base model, the templates that ship, or a file of the user's."""

from __future__ import annotations

from pathlib import Path

from plugins import models
from plugins.formats.templates.model_tokens import begin_token, special_tokens, variables
from plugins.formats.templates.template import Taken
from plugins.formats.templates.trial import tried
from schemas.errors import UserError

FOLDER = Path(__file__).parent / "named"
NAMED = tuple(sorted(path.stem for path in FOLDER.glob("*.jinja")))
"""Names of the templates that ship."""


def take(template: str | None, model: Path) -> Taken:
    """The template that a recipe names, tried with the tokenizer of the base model in the folder `model`.

    `template` is a name of NAMED, the path of a file, or None for the model's own. Raises UserError with the reason where it will not do.
    """
    tokens = variables(model)
    if template in NAMED:
        # These say bos_token where a text begins; models state one that their tokenizer never writes.
        tokens["bos_token"] = begin_token(model)
        text = (FOLDER / f"{template}.jinja").read_text(encoding="utf-8")
        return tried(Taken(source=f'"{template}"', text=text, variables=tokens), special_tokens(model))
    if template is not None:
        return tried(
            Taken(source=Path(template).name, text=_read(Path(template)), variables=tokens),
            special_tokens(model),
        )
    own = models.chat_template(model)
    if own is None:
        raise UserError(
            f"{model} has no chat template, so how it writes a dialogue is not known. Name one in the recipe: "
            f'[tokens] format = {{ use = "chat", template = "vicuna" }}; there are {", ".join(NAMED)}.'
        )
    return tried(Taken(source="of the base model", text=own, variables=tokens), special_tokens(model))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"chat template {path} cannot be read: {error}. It must be a text file in UTF-8."
        ) from error

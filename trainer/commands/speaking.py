"""Options that `chat` and `generate` share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

System = Annotated[
    str | None,
    typer.Option("--system", help="The system turn, where the run was trained on chat or instruct."),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model-name", metavar="NAME", help="Who the model speaks for: {name} of the recipe's system prompt."
    ),
]
User = Annotated[
    str | None,
    typer.Option("--user", metavar="NAME", help="Who it speaks with: {names} of the recipe's system prompt."),
]
Length = Annotated[
    str | None,
    typer.Option("--length", help="{length} of the recipe's system prompt: short, medium or long."),
]
Style = Annotated[
    str | None,
    typer.Option("--style", help='{style} of the recipe\'s system prompt: "with dialogue" or "narration".'),
]
MaxNewTokens = Annotated[int, typer.Option("--max-new-tokens", min=1, help="At most this many tokens.")]
Temperature = Annotated[
    float,
    typer.Option("--temperature", min=0.0, help="0 takes the likeliest token; above, tokens are drawn."),
]
TopP = Annotated[
    float, typer.Option("--top-p", min=0.01, max=1.0, help="Draw from the likeliest tokens that sum to this.")
]
TopK = Annotated[
    int, typer.Option("--top-k", min=0, help="Draw from so many of the likeliest tokens; 0 from all.")
]
MinP = Annotated[
    float,
    typer.Option(
        "--min-p", min=0.0, max=1.0, help="Draw from tokens at least this share as likely as the likeliest."
    ),
]
RepetitionPenalty = Annotated[
    float,
    typer.Option("--repetition-penalty", min=1.0, help="Above 1 makes tokens already written less likely."),
]
Seed = Annotated[int, typer.Option("--seed", help="Of the draws.")]
Stop = Annotated[
    list[str] | None,
    typer.Option(
        "--stop", metavar="TEXT", help="Ends an answer, and is no part of it; several times for several."
    ),
]


def fields_of(name: str | None, user: str | None, length: str | None, style: str | None) -> dict[str, str]:
    """What fills in a recipe's system prompt."""
    told = {"name": name, "names": user, "length": length, "style": style}
    return {key: text for key, text in told.items() if text}


def tell_what_lacks(speaker: Any, system: str | None, fields: dict[str, str]) -> None:
    """Say where rows had a system turn and the questions have none."""
    from trainer.seeing.progress import say

    missing = speaker.form.lacks_system(fields) if speaker.form is not None and not system else ()
    if missing:
        options = {"name": "--model-name", "names": "--user", "length": "--length", "style": "--style"}
        say(
            f"the recipe's system prompt says what only a conversation tells ({', '.join(missing)}), so there is no system turn: give "
            f"{', '.join(options[name] for name in missing)}, or the whole of it with --system"
        )

"""A conversation with a run at a terminal: what was said, what is typed instead of a prompt, and what happens when it grows too long.

Answers go to stdout as they come, all else to stderr. The terminal is given nothing that it would obey: an answer is
whatever the model learned from whatever was scraped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import UserError, nearest
from trainer.evaluation.side_by_side import printable
from trainer.generate import Speaker
from trainer.seeing.progress import say

HELP = """\
/reset         forget what was said
/undo          take the last exchange back
/again         answer the last question anew, with the next seed; another answer only above --temperature 0
/base          let the base model answer the last question, to compare; it is not remembered
/system TEXT   another system turn; without TEXT the recipe's own
/save FILE     write the conversation down: as messages to a .jsonl, as text to any other; nothing is overwritten
/help          this
/quit          end; so does Ctrl-D. Ctrl-C ends an answer
//             a prompt that begins with a slash: //roll is /roll"""
COMMANDS = ("/reset", "/undo", "/again", "/base", "/system", "/save", "/help", "/quit")


@dataclass
class Talk:
    """One conversation."""

    speaker: Speaker
    system: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    base: bool = False
    sampling: dict[str, Any] = field(default_factory=dict)
    """Options of `trainer.speaking.sampling.Sampling`."""
    terminal: bool = False
    """Whether answers go to one, piece by piece."""
    history: list[tuple[str, str]] = field(default_factory=list)
    last: str | None = None
    """The last question."""
    told: bool = False
    """Whether it was said that the beginning is forgotten."""

    def answer(self, prompt: str, *, base: bool | None = None, keep: bool = True) -> str:
        """Answer a prompt on stdout, and remember it where the run was trained on talk that goes on. Ctrl-C ends the answer; it is kept as far as it came."""
        pieces: list[str] = []

        def out(piece: str) -> None:
            pieces.append(piece)
            sys.stdout.write(printable(piece))
            sys.stdout.flush()

        self._make_room(prompt)
        try:
            answer = self.speaker.answer(
                prompt,
                history=self.history if self.speaker.remembers else (),
                system=self.system,
                fields=self.fields,
                base=self.base if base is None else base,
                on_text=out if self.terminal else None,
                **self.sampling,
            )
        except KeyboardInterrupt:
            if not self.terminal:
                raise
            answer = "".join(pieces).rstrip()
            say(" (stopped)")
        sys.stdout.write("\n" if self.terminal else f"{answer}\n")
        sys.stdout.flush()
        if keep:
            self.last = prompt
            if self.speaker.remembers and answer:
                self.history.append((prompt, answer))
        return answer

    def _make_room(self, prompt: str) -> None:
        """Forget the oldest exchanges, whole, where the model has no room for them; the system turn stays."""
        if not self.history:
            return
        length = int(self.sampling.get("max_new_tokens", 200))
        gone = self.speaker.fitting(prompt, self.history, self.system, self.fields, max_new_tokens=length)
        if gone:
            del self.history[:gone]
            if not self.told:
                say(
                    "the conversation is longer than the model reads: from here on its oldest turns are forgotten"
                )
                self.told = True

    def heard(self, line: str) -> bool:
        """Do what a line says: a command, or a prompt to answer. False where the conversation is over; what cannot be done is said."""
        if line.startswith("//") or not line.startswith("/"):
            self._spoken(lambda: self.answer(line.removeprefix("/") if line.startswith("//") else line))
            return True
        name, _, rest = line.strip().partition(" ")
        if name == "/quit":
            return False
        commands: dict[str, Callable[[], Any]] = {
            "/reset": self.reset,
            "/undo": self.undo,
            "/again": self.again,
            "/base": self.compare,
            "/system": lambda: self.say_system(rest.strip()),
            "/save": lambda: self.save(Path(rest.strip()) if rest.strip() else None),
            "/help": lambda: say(HELP),
        }
        if name in commands:
            self._spoken(commands[name])
        else:
            say(
                f"{name} is no command. {nearest(name, COMMANDS)} /help lists them; for a prompt that begins with a slash write //".replace(
                    "  ", " "
                )
            )
        return True

    def _spoken(self, do: Callable[[], Any]) -> None:
        """A fault of one line does not end a conversation."""
        try:
            do()
        except UserError as error:
            say(str(error))
        except KeyboardInterrupt:
            if not self.terminal:
                raise
            say(" (stopped)")

    def reset(self) -> None:
        """Forget what was said."""
        self.history.clear()
        self.last, self.told = None, False
        say("forgotten")

    def undo(self) -> None:
        """Take the last exchange back."""
        if not self.history:
            raise UserError("nothing was said yet that could be taken back")
        asked, _ = self.history.pop()
        self.last = self.history[-1][0] if self.history else None
        say(f"taken back: {printable(asked)}")

    def again(self) -> None:
        """Another answer to the last question in place of the one it had."""
        if self.last is None:
            raise UserError("nothing was asked yet that could be answered anew")
        had = self._taken_off()
        self.sampling = {**self.sampling, "seed": int(self.sampling.get("seed", 0)) + 1}
        answer = ""
        try:
            answer = self.answer(self.last)
        finally:
            if not answer and had:  # stopped before its first word, or refused
                self.history.append(had)
        if had and answer == had[1] and not self.sampling.get("temperature"):
            say(
                "the same: at --temperature 0 the likeliest token is always taken. Begin the chat with --temperature 0.8 for others"
            )

    def compare(self) -> None:
        """Answer the last question by the other model."""
        if self.last is None:
            raise UserError("nothing was asked yet that the base could answer too")
        had = self._taken_off()
        try:
            self.answer(self.last, base=not self.base, keep=False)
        finally:
            if had:
                self.history.append(had)

    def _taken_off(self) -> tuple[str, str] | None:
        """The last question and its answer, taken off the history while the question is asked anew; None where it is not remembered."""
        return self.history.pop() if self.history and self.history[-1][0] == self.last else None

    def say_system(self, text: str) -> None:
        """Set the system turn, or go back to the recipe's."""
        if self.speaker.form is None:
            raise UserError(f"{self.speaker.name} was trained on plain text, which has no system turn")
        self.system = text or None
        say(f"system: {printable(text)}" if text else "the system turn is the recipe's own again")

    def save(self, path: Path | None) -> None:
        """Write the conversation to a file that is not there yet."""
        if path is None:
            raise UserError("name a file: /save talk.txt, or /save talk.jsonl")
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for asked, answered in self.history:
            messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        if path.suffix == ".jsonl":
            text = json.dumps({"messages": messages}, ensure_ascii=False) + "\n"
        else:
            text = "\n\n".join(f"{one['role']}: {one['content']}" for one in messages) + "\n"
        try:
            path = path.expanduser()
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except RuntimeError:
            raise UserError(f"{path} cannot be written: {path.parts[0]} is no user's home") from None
        except FileExistsError:
            raise UserError(f"{path} is there already; name another") from None
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}") from None
        say(f"saved to {path}")

"""A plugin as it is tested: its class, what a recipe would make of it, and what it makes of texts and pages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from corpus.commands.plugins import quiet
from corpus.commands.plugins.outcomes import Broken, Skipped
from corpus.commands.plugins.subjects import Subject
from corpus.commands.plugins.texts import texts
from plugins.contracts import Beside, Locates, Plugin
from plugins.entries import class_of
from plugins.specs import PluginSpec, contents_of, placed, source_of
from schemas.errors import UserError

MAX_SAMPLE = 50
"""Files of a sample that are copied."""
MAX_SAMPLE_BYTES = 8 << 20
TEXTS = frozenset({".txt", ".md"})
"""Endings of a sample's files that are texts."""


class Case:
    """One plugin under test. What cannot be had raises Skipped: the check that should have it has failed already."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._loaded: type[Plugin] | None = None
        self._spec: PluginSpec | None = None
        self.written: Plugin | None = None
        """The instance that the options as written make; workers make another of what it says of itself."""

    def load(self) -> list[str]:
        """Import the class; returns the attempts to reach the network. Raises Broken where it cannot be imported."""
        before = len(quiet.attempts)
        try:
            self._loaded = class_of(self.subject.kind, self.subject.name, self.subject.file)
        except (UserError, KeyError) as error:
            raise Broken(
                str(error)
                if isinstance(error, UserError)
                else f"no {self.subject.kind} is found by that name",
                "let the module import where gristmill is installed; `name` in the class must be the entry point's",
            ) from error
        return quiet.attempts[before:]

    @property
    def cls(self) -> type[Plugin]:
        """The class."""
        if self._loaded is None:
            try:
                self.load()
            except Broken:
                pass
        if self._loaded is None:
            raise Skipped("it could not be imported")
        return self._loaded

    def specify(self) -> PluginSpec:
        """What a recipe with the options under test would make. Raises Broken for options that do not fit."""
        subject, cls, base = self.subject, self.cls, Path(self.subject.base)
        lacking = [
            name
            for name, info in cls.model_fields.items()
            if info.is_required() and name not in subject.options
        ]
        if lacking:
            raise Broken(
                f"needs {', '.join(f'`{name}`' for name in lacking)}",
                "give the option a default, or say what to test with: --option "
                f"{lacking[0]}=…, in a project under [tool.gristmill.test.{subject.name}]",
            )
        try:
            plugin = cls.model_validate(placed(cls, subject.options, subject.base))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "options"
            raise Broken(
                f"{where}: {first['msg']}",
                "let the defaults pass the class' own validators, or say what to test with: --option KEY=VALUE",
            ) from error
        self.written = plugin
        written = {
            **plugin.model_dump(mode="json"),
            **{name: subject.options[name] for name in cls.marked(Beside) if subject.options.get(name)},
        }
        contents, faults = contents_of(cls, written, base, "option")
        if faults:
            raise Broken(f"{faults[0].key}: {faults[0].message}", "name a file that is there")
        self._spec = PluginSpec(
            subject.kind, subject.name, written, source_of(cls), subject.file, subject.base, contents
        )
        return self._spec

    @property
    def spec(self) -> PluginSpec:
        """The plugin as it travels."""
        if self._spec is None:
            try:
                self.specify()
            except Broken:
                pass
        if self._spec is None:
            raise Skipped("no instance could be made")
        return self._spec

    @cached_property
    def plugin(self) -> Any:
        """The plugin itself."""
        return self.spec.make()

    def ready(self) -> bool:
        """Whether there is an instance."""
        try:
            return self.plugin is not None
        except Skipped:
            return False

    def made(self) -> dict[str, str]:
        """Digests of what it makes, by what it makes it of."""
        from corpus.commands.plugins.checks import MAKERS

        make = MAKERS.get(self.subject.kind)
        return make(self) if make else {}

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What everyone's texts are tested with, and the project's own: the text files below its `sample`."""
        files = sorted(Path(self.subject.base).glob("sample/**/*")) if self.subject.distribution else []
        texts_there = [file for file in files if file.suffix in TEXTS and file.is_file()][:MAX_SAMPLE]
        own = [file.read_text("utf-8", "replace")[:MAX_SAMPLE_BYTES] for file in texts_there]
        return tuple(dict.fromkeys((*own, *texts())))

    @cached_property
    def sample(self) -> list[Path]:
        """The files that a scraper's options name, relative to `base`: those lying in it, so many that they are quickly copied."""
        base = Path(self.subject.base)
        found: list[Path] = []
        size = 0
        for pattern in self._patterns():
            try:
                matches = sorted(base.glob(pattern))
            except (ValueError, NotImplementedError):  # an option that says where, and is no glob
                continue
            for path in matches:
                size += path.stat().st_size if path.is_file() else 0
                if not path.is_file() or len(found) == MAX_SAMPLE or size > MAX_SAMPLE_BYTES:
                    continue
                found.append(path.relative_to(base))
        return list(dict.fromkeys(found))

    def _patterns(self) -> Iterator[str]:
        for name in sorted(self.cls.marked(Locates)):
            value = self.spec.options.get(name)
            for pattern in value if isinstance(value, list) else [value]:
                if isinstance(pattern, str) and _is_below(pattern):
                    yield pattern.removeprefix("./")

    def copied(self) -> tempfile.TemporaryDirectory[str]:
        """A copy of the sample, to be spoilt. Raises Skipped where there is none."""
        if not self.sample:
            raise Skipped("no saved pages to spoil: its options name no file below " + self.subject.base)
        folder = tempfile.TemporaryDirectory(prefix="gristmill-sample-")
        for path in self.sample:
            (Path(folder.name) / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(self.subject.base) / path, Path(folder.name) / path)
        return folder


def _is_below(pattern: str) -> bool:
    """Whether a path or glob stays in the folder it is relative to; an address does not."""
    leaves = pattern.startswith(("/", "~")) or "://" in pattern or ".." in Path(pattern).parts
    return bool(pattern.removeprefix("./")) and not leaves

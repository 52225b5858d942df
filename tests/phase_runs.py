"""Single phases for tests: a folder with a recipe and perhaps a plugin file of one's own, gathered or extracted as a build would."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from corpus.engine.executor import Engine
from corpus.engine.progress import Progress
from corpus.phases.extract import Extractions, extract
from corpus.phases.gather import Gathered, gather
from plugins.registry import ResolvedRecipe, load_recipe
from plugins.specs import PluginSpec
from schemas.runtime import Runtime

FILES = '[[source]]\nuse = "files"\npath = "site/*"\n'


@dataclass
class Bench:
    """A folder, and the recipe in it."""

    folder: Path
    recipe: str = FILES
    plugin: str = ""
    name: str = "bench"
    performed: dict[str, int] = field(default_factory=dict)
    """Units of work of the last run, by phase."""

    def page(self, name: str, content: str | bytes) -> Path:
        """Write one page of the site."""
        path = self.folder / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def resolved(self) -> ResolvedRecipe:
        """The recipe, with the plugin file where there is one."""
        head = f'name = "{self.name}"\n'
        if self.plugin:
            (self.folder / "mine.py").write_text(self.plugin)
            head += 'plugins = ["mine.py"]\n'
        path = self.folder / f"{self.name}.toml"
        path.write_text(head + self.recipe)
        return load_recipe(path)

    def engine(self) -> Engine:
        """One worker, in this process."""
        return Engine(Runtime(root=self.folder / "root", workers=1, quiet=True), Progress(quiet=True))

    def gather(self) -> Gathered:
        """Gather all sources."""
        engine = self.engine()
        gathered = gather(self.resolved(), engine)
        self.performed = engine.performed
        return gathered

    def extract(self, gathered: Gathered | None = None) -> Extractions:
        """Extract what was gathered, by default just now."""
        engine, resolved = self.engine(), self.resolved()
        found = extract((gathered or gather(resolved, engine)).pages, resolved, engine)
        self.performed = engine.performed
        return found


def plugin(folder: Path, source: str, use: str, table: str = "clean", options: str = "") -> PluginSpec:
    """One plugin of the kind that `table` names, out of a local file with this source."""
    resolved = Bench(folder, f'{FILES}[[{table}]]\nuse = "{use}"\n{options}\n', source).resolved()
    return (resolved.cleaners if table == "clean" else resolved.filters)[0]

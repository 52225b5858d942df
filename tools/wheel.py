"""Build the wheel, install it alone, and use it where its package names are easily mistaken, for `just wheel`.

The four packages have generic names, so the test is run in an empty folder that has a `plugins/` and a `schemas/` of its
own, and through the console script: with `python -c`, that folder would come first on the path. The dependencies
are borrowed from .venv through a .pth file, which does not pass on .venv's own editable gristmill.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
PACKAGES = {"schemas", "plugins", "corpus", "trainer"}
NEEDED = ("corpus/recipes/demo/", "corpus/recipes/plugins/", "corpus/cli.py", "plugins/contracts.py")
"""What must be in the wheel for `gristmill demo` and `gristmill init` to work from it."""


def build(folder: Path) -> Path:
    """The wheel of this tree."""
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(REPO))
    (wheel,) = folder.glob("gristmill-*.whl")
    return wheel


def pip(*arguments: str) -> None:
    """Run .venv's pip, quietly."""
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True)


def check_contents(wheel: Path) -> None:
    """The four packages, the recipes inside corpus, and nothing else."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names} - PACKAGES
    if strangers := {top for top in tops if not top.endswith(".dist-info")}:
        sys.exit(
            f"wheel: it also holds {sorted(strangers)}; see [tool.hatch.build.targets.wheel] in pyproject.toml"
        )
    if missing := [part for part in NEEDED if not any(name.startswith(part) for name in names)]:
        sys.exit(f"wheel: it lacks {missing}; see [tool.hatch.build.targets.wheel] in pyproject.toml")
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 1e3:.0f} kB")


def install(wheel: Path, folder: Path) -> Path:
    """The console script of the wheel, in a virtual environment that borrows .venv's other distributions."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip("--python", str(python), "install", "--no-deps", str(wheel))
    site = sysconfig.get_path("purelib", vars={"base": str(folder)})
    Path(site, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python.with_name("gristmill")


def use(script: Path, folder: Path) -> None:
    """Run the console script in a folder whose own `plugins` and `schemas` fail when imported."""
    for name in ("plugins", "schemas"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(
            "raise ImportError('a stranger named ' + __name__)\n", encoding="utf-8"
        )
    for arguments in (["--help"], ["plugins"], ["init", "docs", "new"]):
        command = [str(script), *arguments]
        done = subprocess.run(command, cwd=folder, env=bare(), capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(
                f"wheel: `gristmill {' '.join(arguments)}` left with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        print(f"gristmill {' '.join(arguments)}: works from the wheel")


def bare() -> dict[str, str]:
    """The environment without what could point Python at this repository."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}


def main() -> None:
    """Build, look inside, install, use."""
    with tempfile.TemporaryDirectory() as scratch:
        wheel = build(Path(scratch, "dist"))
        check_contents(wheel)
        use(install(wheel, Path(scratch, "venv")), Path(scratch, "empty"))


if __name__ == "__main__":
    main()

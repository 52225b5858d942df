"""Fill .venv once, for `just setup`: torch, then everything else from the lock, then gristmill itself.

Standard library only, since it runs before anything is installed. The order is not free: pip must choose the torch
build that fits the machine *with* its dependencies (triton and CUDA where there is a GPU), while the rest comes from a
complete lock with `--no-deps`, because no resolver finds this set unaided (locks/overrides.txt says why).

A stamp in .venv holds the digests of what was installed; while they agree, a second call returns at once.
"""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):  # before any import that an old Python may lack
    sys.stderr.write(
        f"setup: gristmill needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]} ({sys.executable})\n"
        "  Make .venv anew with one of these, for example: rm -r .venv && python3.11 -m venv .venv\n"
        "  and then: .venv/bin/pip install rust-just && .venv/bin/just setup\n"
    )
    sys.exit(2)

import fcntl
import hashlib
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

REPO = Path(__file__).resolve().parent.parent
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LOCK = REPO / "locks" / f"py{PYTHON.replace('.', '')}.txt"
TORCH = REPO / "locks" / "torch.txt"
PROJECT = REPO / "pyproject.toml"

NEWCOMER = "python3 -m venv .venv && .venv/bin/pip install rust-just && .venv/bin/just setup"

HINTS = {
    "No space left": "Free about 8 GB (CUDA build) or 4 GB (CPU build) on this disk and on the one that holds TMPDIR.",
    "(constraint)": "pip's own configuration caps a version. `.venv/bin/pip config list` names the constraint file.",
    "connection": "No package index answers. Check the network, and pip's index in `.venv/bin/pip config list`.",
    "Read timed out": "The package index answered too slowly; what was fetched is cached, so try again.",
    "No matching distribution": "pip's index lacks that version. `.venv/bin/pip config list` shows where pip looks.",
    "--user": "pip is set to install for the user. Unset it: `.venv/bin/pip config unset global.user` or PIP_USER=0.",
}
"""What pip says, and what to do then."""

NOISE = (
    "WARNING: Location",
    "Looking in",
    "Downloading",
    "Using cached",
    "Preparing",
    "Attempting",
    "Found existing",
)
"""Lines of pip's that explain no failure."""


def fail(what: str, mend: str) -> NoReturn:
    """Say what went wrong and how to mend it; exit 2, since it is for the user to change something."""
    print(f"setup: {what}\n  {mend}", file=sys.stderr)
    sys.exit(2)


def digest(*parts: bytes) -> str:
    """One digest of several byte strings, their boundaries included."""
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def wanted() -> list[str]:
    """Digests of what should be installed: the packages (torch, lock, Python), and gristmill (its project file, its place)."""
    packages = digest(TORCH.read_bytes(), LOCK.read_bytes(), PYTHON.encode())
    return [packages, digest(PROJECT.read_bytes(), str(REPO).encode())]


def installed(stamp: Path) -> list[str]:
    """The digests of what is installed, as the last call wrote them."""
    return stamp.read_text(encoding="utf-8").split() if stamp.exists() else []


def pins(path: Path) -> list[str]:
    """The requirements of a file, comments left out."""
    return [
        line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]


def release(version: str) -> tuple[int, ...]:
    """The numbers of a version: `2.13.0+cpu` is (2, 13, 0)."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])


def fitting_torch() -> str | None:
    """The version of a torch that can be imported here and that the `train` extra accepts, if there is one."""
    ask = "import torch; print(torch.__version__)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    version = done.stdout.strip().splitlines()[-1]
    bounds = re.search(r'"torch>=([\d.]+),<([\d.]+)"', PROJECT.read_text(encoding="utf-8"))
    if bounds is None:
        fail("pyproject.toml names no `torch>=…,<…`", "Put the range back into the `train` extra.")
    low, high = (release(bound) for bound in bounds.groups())
    return version if low <= release(version) < high else None


def pip(*arguments: str, total: int = 0) -> None:
    """Run pip quietly, count what it collects, and show its own words if it fails."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-input",
        "--disable-pip-version-check",
        *arguments,
    ]
    said: list[str] = []
    seen, started = 0, time.monotonic()
    with subprocess.Popen(
        command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        for line in child.stdout or ():
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
                progress(f"{seen} of {total}" if total else line.split()[1], time.monotonic() - started)
            elif line.startswith("Installing collected"):
                progress("installing", time.monotonic() - started)
            elif not line.lstrip().startswith(NOISE):
                said.append(line)
    progress("", 0)
    if child.returncode:
        words = "".join(said[-30:])
        mend = next(
            (hint for sign, hint in HINTS.items() if sign in words), "pip's message above says what it lacks."
        )
        fail(f"pip failed (exit {child.returncode}):\n\n{words}", f"{mend} Then run `just setup` again.")


def progress(text: str, seconds: float) -> None:
    """Rewrite one line of a terminal; say nothing to a file."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K      {text}  {seconds:.0f} s" if text else "\r\033[K")
        sys.stdout.flush()


@contextmanager
def step(number: int, text: str) -> Iterator[None]:
    """Announce a step, and its seconds when it is over."""
    print(f"[{number}/3] {text}", flush=True)
    started = time.monotonic()
    yield
    print(f"      done in {time.monotonic() - started:.0f} s", flush=True)


def install_packages() -> None:
    """Torch with its dependencies, unless one that fits is there; then the lock without any."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print(
            f"The locks were made for Linux x86-64; trying them on {platform.system()} {platform.machine()}."
        )
    (torch,) = pins(TORCH)
    rows = pins(LOCK)
    if there := fitting_torch():
        print(f"[1/3] torch {there} is here and fits")
    else:
        with step(1, f"{torch}: 190 MB where a CPU build is at hand, a CUDA build of several GB elsewhere"):
            pip("--constraint", str(LOCK), torch)
    with step(2, f"{len(rows)} packages of {LOCK.relative_to(REPO)}: up to 540 MB to fetch, 2 GB on disk"):
        pip("--no-deps", "--requirement", str(LOCK), total=len(rows))


def main() -> None:
    """Install what the stamp does not vouch for."""
    here = Path(sys.prefix)
    if sys.prefix == sys.base_prefix:
        fail("this is not a virtual environment's Python", f"From the repository: {NEWCOMER}")
    if not LOCK.exists():
        fail(f"{LOCK.relative_to(REPO)} is missing", "Restore it: git checkout locks")
    stamp, want = here / "gristmill-setup.txt", wanted()
    if installed(stamp) == want:
        return
    with (here / "gristmill-setup.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # two recipes at once: the second waits, then finds the stamp
        if (have := installed(stamp)) == want:
            return
        stamp.unlink(missing_ok=True)  # killed halfway, the next call starts over
        if have[:1] != want[:1]:
            install_packages()
        with step(3, "gristmill itself, editable"):
            pip("--no-deps", "--no-build-isolation", "--editable", str(REPO))
        stamp.write_text("\n".join(want), encoding="utf-8")
    print(f"Ready: {os.path.relpath(here / 'bin' / 'gristmill')}")


if __name__ == "__main__":
    main()

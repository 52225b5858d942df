"""Kill a crawl at random moments, hundreds of times, and look whether a page was lost or fetched twice.

    python tools/soak_crawl.py [KILLS] [SEED]

Each round crawls the test site (tests/crawl_site.py) with some kills in it, compares the fates with those of a crawl that nobody killed,
and checks by the server's log that no page was asked for again once its answer lay in the archive.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from crawl_runs import fates, kill_and_rerun  # noqa: E402  found by the line above
from crawl_site import Site  # noqa: E402

SIZE = 600
KILLS = 12
"""Of one crawl; then the next one begins."""
LEFT_OUT = ("/broken/drip", "//closed.test", "//busy.test", "//trap.test", "/slow/")
"""What takes long; and traps, since which of their addresses are met first depends on which answers come first."""


def main() -> int:
    """Exit status 0 if all rounds ended as they must."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    print(f"seed {seed}")
    expected = _round(0, seed)[1]
    struck = rounds = 0
    while struck < kills:
        rounds += 1
        number, found = _round(KILLS, seed + rounds)
        struck += number
        if found != expected:
            changed = sorted(
                url for url in expected.keys() | found.keys() if expected.get(url) != found.get(url)
            )
            print(
                f"round {rounds}: {len(changed)} fates differ, as {[(url, expected.get(url), found.get(url)) for url in changed[:5]]}"
            )
            return 1
        print(
            f"round {rounds}: {number} kills, {len(found)} URLs, as without; {struck} of {kills}", flush=True
        )
    return 0


def _round(kills: int, seed: int) -> tuple[int, dict[str, str]]:
    with tempfile.TemporaryDirectory() as name, Site(Path(name), SIZE) as site:
        struck = kill_and_rerun(site, Path(name) / "crawl", kills=kills, seed=seed, deny=LEFT_OUT)
        return struck, fates(Path(name) / "crawl")


if __name__ == "__main__":
    sys.exit(main())

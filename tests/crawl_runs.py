"""Crawls of `crawl_site`: their settings, one that can be killed, and the witness that no archived page is fetched twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from crawl_site import Site, loopback

from plugins.web.client import Limits
from plugins.web.crawler import ARCHIVE, crawl
from plugins.web.scope import Settings
from plugins.web.warc_reading import WarcRecord, records


def settings_for(port: int, **changes: Any) -> Settings:
    """The whole test site, politeness off but for what the site asks for."""
    options: dict[str, Any] = {
        "seeds": (f"http://alpha.test:{port}/",),
        "feeds": (f"http://alpha.test:{port}/feed",),
        "contact": "mailto:tests@gristmill.test",
        "allow": (rf"^http://[a-z]+\.test:{port}/",),
        "allow_private": ("127.0.0.0/8",),
        "delay": 0.0,
        "concurrency": 8,
        "total": 32,
        "retries": 3,
        "backoff": 0.05,
        "limits": Limits(body_bytes=1 << 20, read_seconds=2, page_seconds=1),
    }
    return Settings(**(options | changes))


def fates(folder: Path) -> dict[str, str]:
    """URL without its port → fate; "queued" where it has none."""
    with sqlite3.connect(folder / "crawl.sqlite") as db:
        rows = db.execute("SELECT url, CASE state WHEN 2 THEN fate ELSE 'queued' END FROM urls").fetchall()
    db.close()
    return {without_port(url): fate for url, fate in rows}


def without_port(url: str) -> str:
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.partition(':')[0]}{slash}{path}"


def archived(folder: Path, *types: str) -> list[str]:
    """Addresses, without ports, of the records that lie complete in the archive: responses, or those of these types."""
    found = []
    for path in sorted((folder / ARCHIVE).glob("*.warc.gz")):
        for record in records(path):
            if not isinstance(record, WarcRecord):
                break
            if record.type in (types or ("response",)):
                found.append(without_port(record.url or ""))
    return found


def child(port: int, folder: Path, **changes: Any) -> subprocess.Popen[str]:
    """A crawl in a process group of its own, which ends with a line of JSON: peak memory in KiB and the summary's answers."""
    return subprocess.Popen(
        [sys.executable, __file__, str(port), str(folder), json.dumps(changes)],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
        },  # or "plugins" is tests/plugins
        start_new_session=True,
    )


def kill_and_rerun(site: Site, folder: Path, *, kills: int, seed: int, **changes: Any) -> int:
    """Kill a crawl so many times, each time a random moment after it began to ask, then let it end; gives the kills that struck.

    Raises AssertionError where a page was asked for after its answer had reached the archive, or lies there twice.
    """
    rng = random.Random(seed)
    struck = 0
    for number in range(kills + 1):
        before, kept = len(site.log()), set(archived(folder))
        process = child(site.port, folder, **changes)
        if number < kills:
            struck += killed(site, process, rng)
        else:
            process.communicate()
        assert process.returncode in {0, -signal.SIGKILL}
        asked = [f"http://{request.host}{request.path}" for request in site.log(before)]
        again = kept.intersection(asked)
        assert not again, f"asked for again after kill {number}, though in the archive: {sorted(again)[:5]}"
    kept_now = archived(folder)
    assert len(kept_now) == len(set(kept_now)), "a page lies in the archive twice"
    return struck


def killed(site: Site, process: subprocess.Popen[str], rng: random.Random) -> bool:
    """Kill a crawl a random moment after it began to ask; whether it was still there."""
    if _at_work(site, process):
        time.sleep(rng.uniform(0.0, 0.25))
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def _at_work(site: Site, process: subprocess.Popen[str]) -> bool:
    """Wait until a crawl has asked for something; False where it ends without."""
    size = site.log_file.stat().st_size if site.log_file.exists() else 0
    while process.poll() is None:
        if site.log_file.exists() and site.log_file.stat().st_size > size:
            return True
        time.sleep(0.002)
    return False


def main() -> None:
    port, folder, changes = int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    changes = {key: tuple(value) if isinstance(value, list) else value for key, value in changes.items()}
    refresh = changes.pop("refresh", False)
    summary = asyncio.run(crawl(settings_for(port, **changes), folder, refresh=refresh, resolve=loopback))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak": peak, "answers": summary.answers, "fates": summary.fates}))


if __name__ == "__main__":
    main()

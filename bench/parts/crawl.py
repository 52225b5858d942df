"""Crawls: Scrapy against gristmill on one site on loopback, politeness off; a core for the crawler, another for the server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.measure import HERE, alternate, cores
from bench.setting import Setting, ratio

PAGES = 5000
CONCURRENCY = 16


def run(setting: Setting) -> dict[str, Any]:
    """Everybody fetches every page of the site."""
    pages = setting.documents or PAGES
    with _served(pages) as port:
        asked = {"seed": f"http://127.0.0.1:{port}/p/0", "concurrency": CONCURRENCY}
        found = alternate(
            {
                "gristmill": setting.own("gristmill_crawl.py", **asked),
                "Scrapy, kept": setting.peer("scrapy_crawl.py", **asked, keep=True),
                "Scrapy, in memory": setting.peer("scrapy_crawl.py", **asked, keep=False),
            },
            setting.runs,
        )
    return {"pages": pages, "crawlers": found}


@contextmanager
def _served(pages: int) -> Iterator[int]:
    core = str(cores(2)[-1])
    command = ["taskset", "-c", core, sys.executable, str(HERE / "peers" / "crawl_site.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps({"pages": pages}), file=server.stdin, flush=True)
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()


def table(figures: dict[str, Any]) -> str:
    """One row a crawler."""
    found = figures["crawlers"]
    lines = [
        (
            f"{figures['pages']:,} pages of some 3 KB on loopback, {CONCURRENCY} requests at a time, one core for the crawler and one for the server. gristmill "
            "archives every answer as it came, with request, digests and offsets, and keeps the state of every URL on disk, so that a kill loses nothing. “kept” is "
            "Scrapy with its queue on disk and the bodies in a file of JSON lines; “in memory” keeps neither."
        ),
        "",
        "| crawler | pages | pages /s | gristmill is | peak MB | MB on disk |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, one in found.items():
        if "error" in one:
            lines.append(f"| {name} | failed: {one['error']} | | | | |")
            continue
        times = ratio(one, found["gristmill"])
        lines.append(
            f"| {name} | {one['pages']:,} | {one['pages'] / one['seconds']:,.0f} | {f'{times:.2f}x as fast' if times else '–'} "
            f"| {one['peak_mb']} | {one['megabytes']:.0f} |"
        )
    return "\n".join(lines)

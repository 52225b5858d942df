"""gristmill's crawl with its manners off. In: seed, concurrency. Out: seconds, pages.

Every answer is written to a WARC, every URL to SQLite, and both are made durable twice a second, as in any crawl.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from plugins.contracts import Place
from plugins.scrapers.crawl import Crawl


def main():
    config = json.load(sys.stdin)
    crawl = Crawl(
        seeds=[config["seed"]],
        contact="https://example.org/bench",
        delay=0,
        concurrency=config["concurrency"],
        total=config["concurrency"],
        obey=dict.fromkeys(("robots", "nofollow", "noindex", "noai", "tdm"), False),
        allow_private=["127.0.0.1"],
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        summary = crawl.gather(Place(Path(folder), Path(folder)))
        seconds = time.perf_counter() - start
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    print(json.dumps({"seconds": seconds, "pages": summary.fates.get("fetched", 0), "megabytes": size / 1e6}))


main()

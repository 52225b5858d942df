"""gristmill against its peers, part by part; RESULTS.md and results.json beside this file are what comes of it.

    .venv/bin/python bench/run.py [filters language cleaners dedup pipeline parity crawl train packing million] [--runs 3] [--documents N]

Sets up the peers in an environment of their own and builds the corpus from Debian packages, both under .bench, once; all parts take three
quarters of an hour on 2 cores. With --documents, every part takes so many, and the report is printed instead of written.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import debian, environment, report
from bench.measure import machine, say
from bench.parts import cleaners, crawl, dedup, filters, language, million, packing, parity, pipeline, train
from bench.setting import CORES, REPO, Setting

PARTS = {
    "filters": filters,
    "language": language,
    "cleaners": cleaners,
    "dedup": dedup,
    "pipeline": pipeline,
    "parity": parity,
    "crawl": crawl,
    "train": train,
    "packing": packing,
    "million": million,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts named, or all; exit 1 where one of them failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--runs", type=int, default=3, help="the median of so many counts")
    parser.add_argument("--documents", type=int, help="of every part; the report is only printed")
    parser.add_argument("--root", type=Path, default=REPO / ".bench")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"no part is named {unknown[0]}; there are {', '.join(PARTS)}")
    setting = Setting(options.root.absolute(), options.runs, options.documents)
    corpus = debian.build(setting.root, CORES)
    say(f"{corpus.documents} documents of {corpus.pages} pages, {corpus.megabytes:.0f} MB")
    figures: dict[str, Any] = {
        "machine": machine(),
        "corpus": vars(corpus),
        "versions": environment.both(setting.peers, setting.text_dedup),
        "parts": {},
    }
    call = f"{'{}'} --runs {options.runs}" + (
        f" --documents {options.documents}" if options.documents else ""
    )
    for name in options.parts or PARTS:
        start = time.perf_counter()
        say(f"part {name}")
        found = PARTS[name].run(setting)
        day = datetime.now(tz=UTC).date().isoformat()
        figures["parts"][name] = {"measured": day, "call": call.format(name), "figures": found}
        say(f"part {name} took {time.perf_counter() - start:.0f} s")
        if not options.documents:  # what is done stays, whatever happens to the next part
            report.write(report.update(dict(figures)), PARTS)
    if options.documents:
        print(report.text(figures, PARTS))
    return int(failed(figures["parts"]))


def failed(figures: Any) -> bool:
    """Whether anything at all has an error.

    >>> failed({"filters": {"gristmill": {"seconds": 1.0}, "datatrove": {"error": "killed"}}})
    True
    """
    return isinstance(figures, dict) and ("error" in figures or any(map(failed, figures.values())))


if __name__ == "__main__":
    sys.exit(main())

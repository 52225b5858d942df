"""From HTML to tokens: a `gristmill build` against a datatrove pipeline that does the same work, 2 workers each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from bench import debian
from bench.measure import alternate, settle
from bench.setting import CORES, REPO, Setting, ratio

PAGES = 2000
FEW = 10
FILTERS = ("gopher-quality", "gopher-repetition", "c4", "fineweb-quality")
RUNS = 2
MODEL = "smollm2-135m"

RECIPE = """name = "{name}"

[[source]]
use = "files"
path = "{pages}/*.html"

[extract]
use = "trafilatura"
fast = true

[[filter]]
use = "language"
keep = ["en"]
min_score = 0.65

{filters}[dedup]
exact = true
fuzzy = {{ threshold = 0.8, ngram = 5, permutations = 112, bands = 14 }}

[split]
val = 0.0
test = 0.0

[tokens]
model = "{model}"
format = "text"
"""

STEPS = (
    (
        "to text, language, filters",
        ("extract", "clean", "annotate", "judge"),
        ("extract, language, filters",),
    ),
    ("near-duplicates", ("sign", "dedup"), ("sign", "band", "cluster")),
    ("tokens", ("tokenize",), ("remove, tokens",)),
    ("gather, split, publish", ("gather", "split", "publish"), ()),
)
"""What is compared with what: a name, gristmill's phases, datatrove's executors."""


def run(setting: Setting) -> dict[str, Any]:
    """Pages evenly spread over the corpus, as files of one folder."""
    model = REPO / ".gristmill/models" / MODEL
    if not (model / "tokenizer.json").exists():
        return {
            "error": f"the tokenizer is missing; `.venv/bin/gristmill models pull {MODEL} --tokenizer` fetches it"
        }
    work = setting.root / "pipeline"
    shutil.rmtree(work, ignore_errors=True)
    pages = debian.pages(setting.root / "html")
    count = min(setting.documents or PAGES, len(pages))
    _lay(work / "pages", [pages[number * len(pages) // count] for number in range(count)])
    few = _others(pages, count)
    _lay(work / "few", few)
    for page in sorted((work / "few").iterdir())[:3]:  # so that near-duplicates are proven in the warm-up too
        more = b"<p>This copy says one thing more than the page does.</p></body>"
        page.with_stem(f"{page.stem}-again").write_bytes(page.read_bytes().replace(b"</body>", more))
    for name, folder in (("bench", "pages"), ("warm", "few"), ("warm-all", "few")):
        filters = "".join(f'[[filter]]\nuse = "{name}"\n\n' for name in FILTERS)
        text = RECIPE.format(name=name, pages=folder, model=model, filters=filters)
        if name == "warm-all":  # what the filters may leave nothing for
            text = text[: text.index("[dedup]")].partition("[[filter]]")[0] + text[text.index("[dedup]") :]
        (work / f"{name}.toml").write_text(text)
    turns: dict[str, list[dict[str, Any]]] = {"gristmill": [], "datatrove": []}
    for turn in range(min(setting.runs, RUNS)):
        root = work / f"root-{turn}"
        once = alternate(
            {
                "gristmill": setting.own(
                    "gristmill_build.py",
                    cores=CORES,
                    recipe=str(work / "bench.toml"),
                    warm=[str(work / "warm.toml"), str(work / "warm-all.toml")],
                    root=str(root),
                    workers=CORES,
                ),
                "datatrove": setting.peer(
                    "datatrove_pipeline.py",
                    cores=CORES,
                    folder=str(work / "pages"),
                    work=str(work / f"datatrove-{turn}"),
                    model=str(model / "tokenizer.json"),
                ),
            },
            1,
        )
        for name, figures in once.items():
            turns[name].append(figures)
    found: dict[str, Any] = {name: settle(figures) for name, figures in turns.items()}
    return {"pages": count, **found, "ratio": ratio(found["datatrove"], found["gristmill"])}


def _others(pages: list[Path], count: int) -> list[Path]:
    """A few pages for the warm-up that are not among the `count` measured: what was extracted once is remembered."""
    measured = {number * len(pages) // count for number in range(count)}
    free = [page for number, page in enumerate(pages) if number not in measured] or pages
    return free[:: max(1, len(free) // FEW)][:FEW]


def _lay(folder: Path, pages: list[Path]) -> None:
    """Copies of these pages, numbered."""
    folder.mkdir(parents=True)
    for number, page in enumerate(pages):
        shutil.copyfile(page, folder / f"{number:06}.html")


def table(figures: dict[str, Any]) -> str:
    """One row a step."""
    own, peer = figures.get("gristmill", figures), figures.get("datatrove", figures)
    if "error" in own or "error" in peer:
        return f"Not measured: {own.get('error') or peer.get('error')}"
    lines = [
        (
            f"{figures['pages']:,} HTML pages, {CORES} workers, median of {len(own['timings'])}: trafilatura with `fast`, language (the same fastText model), Gopher quality "
            "and repetition, C4 (its decision), FineWeb, MinHash 14x8, SmolLM2's tokenizer. datatrove counts tokens; gristmill writes chunks, and moreover splits, "
            "measures leakage and publishes a version with its ledger."
        ),
        "",
        "| step | datatrove s | gristmill s | ratio |",
        "|---|--:|--:|--:|",
    ]
    for name, mine, theirs in STEPS:
        fast = sum(own["phases"].get(phase, 0) for phase in mine)
        slow = sum(peer["phases"].get(phase, 0) for phase in theirs)
        times = f"{slow / fast:.1f}" if slow and fast else "–"
        lines.append(f"| {name} | {slow:.1f} | {fast:.1f} | {times} |")
    lines.append(f"| whole | {peer['seconds']:.1f} | {own['seconds']:.1f} | {figures['ratio']:.1f} |")
    steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in own["phases"].items())
    lines += [
        "",
        (
            f"Peak memory: datatrove {peer['peak_mb']:,} MB, gristmill {own['peak_mb']:,} MB. gristmill's phases in seconds: {steps}. "
            f"Documents after the filters and after dedup: datatrove {peer['counts']['good']} and {peer['counts']['kept']}; gristmill published {own['counts']['documents']}."
        ),
    ]
    return "\n".join(lines)

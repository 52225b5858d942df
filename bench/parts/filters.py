"""Quality filters: datatrove's, document by document with spaCy's words, against gristmill's kernels; one core each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.english import folder_of, manuals
from bench.measure import alternate, run as measure
from bench.setting import Setting, ratio, say

NAMES = ("gopher-quality", "gopher-repetition", "fineweb-quality", "c4")
DOCUMENTS = 1000
"""datatrove takes a minute for them; gristmill is also measured on the whole corpus."""


def run(setting: Setting) -> dict[str, Any]:
    """The same documents on both sides, of all languages and of English alone; then gristmill alone on all."""
    english = manuals(setting, setting.documents or DOCUMENTS)
    samples = {
        "all languages": setting.sample("filters", DOCUMENTS),
        "English": folder_of(setting, "filters-english", english),
    }
    compared = {name: _compare(setting, str(folder)) for name, folder in samples.items()}
    whole = measure(setting.own("gristmill_filters.py", folder=str(setting.corpus), filters=list(NAMES)))
    say(f"filters on the whole corpus: {whole.get('seconds', whole.get('error'))}")
    return {"samples": compared, "whole": whole}


def _compare(setting: Setting, folder: str) -> dict[str, Any]:
    names = list(NAMES)
    found = alternate(
        {
            "gristmill": setting.own("gristmill_filters.py", folder=folder, filters=names, decisions=True),
            "datatrove": setting.peer("datatrove_filters.py", folder=folder, filters=names),
        },
        setting.runs,
    )
    own, peer = found["gristmill"], found["datatrove"]
    agreement = {} if "error" in own or "error" in peer else agree(own, peer)
    for figures in (own, peer):
        figures.pop("reasons", None)
        figures["documents"] = len(figures.pop("ids", []))
    return {**found, "agreement": agreement, "ratio": ratio(peer, own)}


def agree(own: dict[str, Any], peer: dict[str, Any]) -> dict[str, dict[str, float | int]]:
    """By filter and for all together: how many documents each side keeps, and the share judged alike.

    >>> one = {"ids": ["a", "b"], "reasons": {"c4": ["", "short"]}}
    >>> agree(one, {"ids": ["b", "a"], "reasons": {"c4": ["", ""]}})["c4"]
    {'gristmill': 1, 'datatrove': 2, 'equal': 0.5}
    """
    kept = {
        side: {
            name: {doc_id: reason == "" for doc_id, reason in zip(figures["ids"], reasons, strict=True)}
            for name, reasons in figures["reasons"].items()
        }
        for side, figures in (("gristmill", own), ("datatrove", peer))
    }
    for side in kept.values():
        side["together"] = {doc_id: all(one[doc_id] for one in side.values()) for doc_id in own["ids"]}
    return {
        name: {
            "gristmill": sum(kept["gristmill"][name].values()),
            "datatrove": sum(kept["datatrove"][name].values()),
            "equal": sum(kept["gristmill"][name][one] == kept["datatrove"][name][one] for one in own["ids"])
            / max(len(own["ids"]), 1),
        }
        for name in kept["gristmill"]
    }


def table(figures: dict[str, Any]) -> str:
    """One row a filter and sample."""
    whole = figures["whole"]
    speeds = {
        name: f"{whole['documents'] / seconds:,.0f}"
        for name, seconds in {"together": whole.get("seconds"), **whole.get("phases", {})}.items()
        if seconds
    }
    lines = [
        (
            "One core; documents a second, reading the Parquet included. “together”: datatrove stops at the first filter that drops a document, "
            "gristmill scores with all and judges, as a build does; “all four”: every document through every filter on both sides, datatrove's the sum "
            f"of the rows below. “whole corpus” is gristmill alone on all {whole.get('documents', 0)} documents. “kept” and “judged alike” are decisions; "
            "spaCy's English words on one side, gristmill's own on the other. The filters are English ones, and of a corpus of many languages they drop "
            "most: so datatrove's chain ends early there."
        ),
        "",
        "| sample | filter | datatrove /s | gristmill /s | ratio | whole corpus /s | kept by datatrove | by gristmill | judged alike |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for sample, compared in figures["samples"].items():
        own, peer = compared["gristmill"], compared["datatrove"]
        if "error" in own or "error" in peer:
            lines.append(
                f"| {sample} | not measured: {own.get('error') or peer.get('error')} | | | | | | | |"
            )
            continue
        lines += _rows(f"{sample}, {own['documents']}", compared, speeds)
    return "\n".join([*lines, "", _memory(figures["samples"])])


def _rows(sample: str, compared: dict[str, Any], speeds: dict[str, str]) -> Iterator[str]:
    own, peer = compared["gristmill"], compared["datatrove"]
    times = {
        "together": (peer["seconds"], own["seconds"]),
        "all four": (sum(peer["phases"].values()), own["seconds"]),
        **{name: (peer["phases"][name], own["phases"][name]) for name in own["phases"]},
    }
    for name, (slow, fast) in times.items():
        count, together = own["documents"], name == "all four"
        agreed = compared["agreement"]["together" if together else name]
        yield (
            f"| {sample} | {name} | {count / slow:,.0f} | {count / fast:,.0f} | {slow / fast:.0f} "
            f"| {speeds.get('together' if together else name, '–')} | {agreed['datatrove']} | {agreed['gristmill']} | {agreed['equal']:.2%} |"
        )


def _memory(samples: dict[str, Any]) -> str:
    peaks = {
        side: max(compared[side].get("peak_mb", 0) for compared in samples.values())
        for side in ("datatrove", "gristmill")
    }
    return f"Peak memory: datatrove {peaks['datatrove']} MB, gristmill {peaks['gristmill']} MB."

"""Quality filters: datatrove's, document by document with spaCy's words, against gristmill's kernels; one core each."""

from __future__ import annotations

from typing import Any

from bench.measure import alternate, run as measure
from bench.setting import Setting, ratio, say

NAMES = ("gopher-quality", "gopher-repetition", "fineweb-quality", "c4")
DOCUMENTS = 1000
"""datatrove takes a minute for them; gristmill is also measured on the whole corpus."""


def run(setting: Setting) -> dict[str, Any]:
    """The same documents on both sides, then gristmill alone on all."""
    folder = str(setting.sample("filters", DOCUMENTS))
    names = list(NAMES)
    found = alternate(
        {
            "gristmill": setting.own("gristmill_filters.py", folder=folder, filters=names, decisions=True),
            "datatrove": setting.peer("datatrove_filters.py", folder=folder, filters=names),
        },
        setting.runs,
    )
    own, peer = found["gristmill"], found["datatrove"]
    everything = measure(setting.own("gristmill_filters.py", folder=str(setting.corpus), filters=names))
    say(f"filters on the whole corpus: {everything.get('seconds', everything.get('error'))}")
    agreement = {} if "error" in own or "error" in peer else agree(own, peer)
    for figures in (own, peer):
        figures.pop("reasons", None)
        figures["documents"] = len(figures.pop("ids", []))
    return {**found, "whole": everything, "agreement": agreement, "ratio": ratio(peer, own)}


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
    """One row a filter."""
    own, peer, whole = figures["gristmill"], figures["datatrove"], figures["whole"]
    if "error" in own or "error" in peer:
        return f"Not measured: {own.get('error') or peer.get('error')}"
    lines = [
        (
            f"One core, {own['documents']} documents of the corpus, median of {len(own['timings'])}. Documents a second, reading the Parquet included. "
            "“together”: datatrove stops at the first filter that drops a document, gristmill scores with all and judges, as a build does; “all four”: "
            "every document through every filter on both sides, datatrove's the sum of the rows below. "
            f"“whole corpus” is gristmill alone on all {whole.get('documents', 0)} documents. “kept” and “judged alike” are decisions; spaCy's English "
            "words on one side, gristmill's own on the other, in a corpus of many languages (part *parity* has English alone)."
        ),
        "",
        "| filter | datatrove /s | gristmill /s | ratio | whole corpus /s | kept by datatrove | by gristmill | judged alike |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    count = own["documents"]
    times = {
        "together": (peer["seconds"], own["seconds"], whole.get("seconds")),
        "all four": (sum(peer["phases"].values()), own["seconds"], whole.get("seconds")),
        **{
            name: (peer["phases"][name], own["phases"][name], whole.get("phases", {}).get(name))
            for name in own["phases"]
        },
    }
    for name, (slow, fast, all_of_them) in times.items():
        agreed = figures["agreement"]["together" if name == "all four" else name]
        speed = f"{whole['documents'] / all_of_them:,.0f}" if all_of_them else "–"
        lines.append(
            f"| {name} | {count / slow:,.0f} | {count / fast:,.0f} | {slow / fast:.0f} | {speed} "
            f"| {agreed['datatrove']} | {agreed['gristmill']} | {agreed['equal']:.2%} |"
        )
    return "\n".join([
        *lines,
        "",
        f"Peak memory: datatrove {peer['peak_mb']} MB, gristmill {own['peak_mb']} MB.",
    ])

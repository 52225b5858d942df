"""The same decisions? English documents through datatrove's filters with spaCy's words, and through gristmill's with its own."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from bench.english import folder_of, manuals, web_pages
from bench.measure import run as measure
from bench.parts.filters import NAMES, agree
from bench.setting import Setting, say

DEBIAN = 1500
"""English documents of the corpus, beside all English pages of WCXB."""
EXAMPLES = 40
"""Differences kept by filter."""


def run(setting: Setting) -> dict[str, Any]:
    """Decisions by filter and set, and where they differ."""
    sets = {"wcxb": web_pages(), "debian": manuals(setting, DEBIAN)}
    if setting.documents:
        sets = {name: texts.head(setting.documents) for name, texts in sets.items()}
    figures: dict[str, Any] = {}
    for name, texts in sets.items():
        if texts.height:
            figures[name] = _compare(setting, name, texts)
    differences = {
        name: found.pop("differences") for name, found in figures.items() if "differences" in found
    }
    path = setting.root / "parity.json"
    path.write_text(json.dumps(differences, indent=1, ensure_ascii=False), encoding="utf-8")
    say(f"differences lie in {path}")
    return figures


def _compare(setting: Setting, name: str, texts: pl.DataFrame) -> dict[str, Any]:
    folder = folder_of(setting, f"parity-{name}", texts)
    say(f"parity: {texts.height} documents of {name}")
    names = list(NAMES)
    own = measure(setting.own("gristmill_filters.py", folder=str(folder), filters=names, decisions=True))
    peer = measure(setting.peer("datatrove_filters.py", folder=str(folder), filters=names))
    if "error" in own or "error" in peer:
        return {"error": own.get("error") or peer.get("error")}
    urls = dict(texts.select("doc_id", "url").iter_rows())
    differences = {}
    for filter_name, reasons in own["reasons"].items():
        pairs = zip(own["ids"], reasons, peer["reasons"][filter_name], strict=True)
        unlike = [
            {"url": urls[doc_id], "gristmill": mine or "kept", "datatrove": theirs or "kept"}
            for doc_id, mine, theirs in pairs
            if (mine == "") != (theirs == "")
        ]
        differences[filter_name] = {"count": len(unlike), "examples": unlike[:EXAMPLES]}
    return {"documents": texts.height, "agreement": agree(own, peer), "differences": differences}


def table(figures: dict[str, Any]) -> str:
    """One row a filter and set."""
    lines = [
        (
            "English documents only (`language`, .65), the same text on both sides, each filter alone. datatrove 0.10 cuts words by spaCy's blank English; "
            "gristmill by its own kernel. Examples of every difference: `.bench/parity.json`."
        ),
        "",
        "| set | documents | filter | kept by datatrove | kept by gristmill | decided alike |",
        "|---|--:|---|--:|--:|--:|",
    ]
    for name, found in figures.items():
        if "error" in found:
            lines.append(f"| {name} | | failed: {found['error']} | | | |")
            continue
        for filter_name, agreed in found["agreement"].items():
            lines.append(
                f"| {name} | {found['documents']} | {filter_name} | {agreed['datatrove']} | {agreed['gristmill']} | {agreed['equal']:.2%} |"
            )
    return "\n".join(lines)

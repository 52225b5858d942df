"""datatrove's quality filters, on one core, with spaCy's words. In: folder, filters, one_by_one. Out: seconds, phases, decisions.

`seconds` is the chain as datatrove runs it: a document goes no further than the first filter that drops it. `phases` has each filter alone
on every document, on the text as it was read (C4 rewrites it). `reasons` is per filter, in the order of the documents; "" is kept.
"""

import json
import sys
import time

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.readers import ParquetReader

KINDS = {
    "gopher-quality": GopherQualityFilter,
    "gopher-repetition": GopherRepetitionFilter,
    "fineweb-quality": FineWebQualityFilter,
    "c4": C4QualityFilter,
}


def read(folder: str) -> list[Document]:
    return list(ParquetReader(folder, id_key="doc_id").run())


def reason(kind: object, document: Document) -> str:
    try:
        answer = kind.filter(Document(text=document.text, id=document.id))
    except Exception as error:  # noqa: BLE001 - datatrove's executor would end here; the document counts as dropped
        return f"failed: {type(error).__name__}"
    return "" if answer is True else answer[1] if isinstance(answer, tuple) else "dropped"


def main() -> None:
    config = json.load(sys.stdin)
    filters = {name: KINDS[name](**config.get("options", {}).get(name, {})) for name in config["filters"]}
    warm = read(config["folder"])[:10]
    for kind in filters.values():
        for document in warm:
            reason(kind, document)
    start = time.perf_counter()
    documents = read(config["folder"])
    reading = time.perf_counter() - start
    phases, reasons = {}, {}
    for name, kind in filters.items():
        start = time.perf_counter()
        reasons[name] = [reason(kind, document) for document in documents]
        phases[name] = reading + time.perf_counter() - start
    start = time.perf_counter()
    for document in documents:
        all(reason(kind, document) == "" for kind in filters.values())
    together = reading + time.perf_counter() - start
    ids = [document.id for document in documents]
    print(json.dumps({"seconds": together, "phases": phases, "reasons": reasons, "ids": ids}))


main()

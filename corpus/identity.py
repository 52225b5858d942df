"""A version's fingerprint: everything its bytes depend on, known as soon as the pages are gathered."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from plugins.contracts import Locates
from plugins.registry import ResolvedRecipe
from plugins.specs import library_version, module_digest
from schemas.fingerprint import fingerprint as canonical_hash
from schemas.manifest import SourceRecord, TokenizerRecord

CODE = (
    "corpus.phases",
    "corpus.engine.boundaries",
    "corpus.engine.parquet",
    "corpus.engine.sandbox",
    "corpus.engine.sandbox_child",
    "plugins.extractors.encoding",
    "plugins.extractors.head",
    "plugins.kernels",
    "schemas.fingerprint",
    "schemas.tables",
)
"""Modules of ours whose source every result depends on."""

LIBRARIES = (
    "charset-normalizer",
    "courlan",
    "duckdb",
    "gristmill",
    "numba",
    "numpy",
    "polars",
    "pyarrow",
    "resiliparse",
    "tokenizers",
)
"""Distributions every build depends on; plugins add what they require."""


def libraries(resolved: ResolvedRecipe) -> dict[str, str]:
    """Versions of all distributions the result depends on, and of Python, whose Unicode tables cleaners use."""
    specs = (*resolved.scrapers, resolved.extractor, *resolved.cleaners, *resolved.filters, resolved.format)
    required = (name.lower().replace("_", "-") for spec in specs for name in type(spec.make()).requires)
    names = sorted({*LIBRARIES, *required})
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **{name: library_version(name) for name in names},
    }


def disturbed_fingerprint(fingerprint: str, page_ids: list[str]) -> str:
    """The fingerprint of a version that lacks pages which were disturbed while it was built (`Extractions.disturbed`).

    It is another one: on undisturbed files the same recipe must find that its version is not there yet.
    """
    return canonical_hash([fingerprint, page_ids]) if page_ids else fingerprint


def version_fingerprint(
    resolved: ResolvedRecipe,
    sources: tuple[SourceRecord, ...],
    tokenizer: TokenizerRecord,
    against: Sequence[Sequence[str]] = (),
) -> str:
    """H(recipe without [train], sources as content, plugins, phases and kernels as code, tokenizer, libraries).

    `against` are the names and digests of the corpora that [dedup] compares with. Where things lie is no part of it: not the `path` of a source, nor the name of the model the tokenizer came with.
    """
    recipe = resolved.recipe
    return canonical_hash({
        "name": recipe.name,
        "sources": [
            [record.name, record.digest, spec.identity(without=Locates)]
            for record, spec in zip(sources, resolved.scrapers, strict=True)
        ],
        "extract": [recipe.extract.cpu_seconds, recipe.extract.memory_mib, resolved.extractor.identity()],
        "clean": [spec.identity() for spec in resolved.cleaners],
        "filter": [spec.identity() for spec in resolved.filters],
        "dedup": [recipe.dedup.model_dump(mode="json", exclude={"against"}), *against],
        **({"mix": recipe.mix.model_dump(mode="json")} if recipe.mix.active else {}),
        "split": recipe.split.model_dump(mode="json"),
        "tokens": [
            tokenizer.digest,
            tokenizer.eos_token_id,
            recipe.tokens.cutting(),
            resolved.format.identity(),
        ],
        "code": {name: module_digest(name) for name in CODE},
        "libraries": libraries(resolved),
    })

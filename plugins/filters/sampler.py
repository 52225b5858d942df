"""A sample of the documents, the same on every machine and at every build.

    rule     drops a document whose
    rate     `sampler_u` is `rate` or more

`sampler_u` is a hash of the seed and the document's id, in [0, 1): it depends neither on other documents nor on their order, and a
sample at a lower rate lies within one at a higher. datatrove's SamplerFilter, which draws as documents come, was rejected: with it the
sample changes with the number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from plugins.contracts import Filter, Rule, Threshold

if TYPE_CHECKING:
    import polars as pl

BITS = 53
"""What a double holds exactly."""


class Sampler(Filter):
    """Keeps a fixed share of the documents, chosen by a hash of their ids."""

    name = "sampler"
    requires: ClassVar[tuple[str, ...]] = ("xxhash",)
    scores: ClassVar[tuple[str, ...]] = ("sampler_u",)
    reads: ClassVar[tuple[str, ...]] = ("doc_id",)

    rate: Annotated[float, Threshold(), Field(ge=0, le=1)]
    """The share to keep. Raising it keeps what a lower one kept, and more."""
    seed: int = 0
    """Another seed, another sample."""

    def score(self, texts: pl.Series) -> pl.DataFrame:
        """Null: texts without an id cannot be sampled."""
        import polars as pl

        return self.score_documents(pl.DataFrame({"text": texts, "doc_id": [None] * len(texts)}))

    def score_documents(self, documents: pl.DataFrame) -> pl.DataFrame:
        """sampler_u, uniform in [0, 1)."""
        import polars as pl
        from xxhash import xxh3_64_intdigest

        drawn = [
            None
            if doc_id is None
            else (xxh3_64_intdigest(f"sampler:{self.seed}:{doc_id}".encode()) >> 64 - BITS) / (1 << BITS)
            for doc_id in documents["doc_id"]
        ]
        return pl.DataFrame({"sampler_u": drawn}, schema={"sampler_u": pl.Float64})

    def rules(self) -> Sequence[Rule]:
        """One."""
        import polars as pl

        return [Rule("rate", pl.col("sampler_u") >= self.rate, "sampler_u", f">= {self.rate:g}")]

"""The Arrow schema of every table: those of a published version, and those that pass between phases.

Identities (`page_id`, `doc_id`, `content_hash`, …) are 32 hex digits (see `schemas.fingerprint`). A null means
"not known", never "empty".
"""

from __future__ import annotations

import pyarrow as pa

TEXT = pa.large_string()
"""Long texts: 64-bit offsets, so that a column may pass 2 GiB."""

MESSAGES = pa.list_(
    pa.struct([
        pa.field("role", pa.string()),
        pa.field("name", pa.string()),
        pa.field("content", pa.string()),
        pa.field("train", pa.bool_()),
    ])
)

# --------------------------------------------------------------------------- a published version

PAGES = pa.schema([
    pa.field("page_id", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("locator", pa.string(), nullable=False),
    pa.field("url", pa.string()),
    pa.field("status", pa.int32()),
    pa.field("fetched_at", pa.timestamp("us", tz="UTC")),
    pa.field("content_type", pa.string()),
    pa.field("license", pa.string()),
    pa.field("content_hash", pa.string()),
    pa.field("raw_path", pa.string()),
    pa.field("raw_offset", pa.int64()),
])
"""One row a page. `content_hash` is null only for a page whose bytes could not be had."""

DOCUMENTS = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("page_id", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("url", pa.string()),
    pa.field("title", pa.string()),
    pa.field("author", pa.string()),
    pa.field("published", pa.string()),
    pa.field("text", TEXT),
    pa.field("messages", MESSAGES),
    pa.field("lang", pa.string()),
    pa.field("lang_score", pa.float32()),
    pa.field("license", pa.string()),
    pa.field("group_id", pa.string()),
    pa.field("position", pa.int32()),
    pa.field("split", pa.string()),
    pa.field("n_chars", pa.int64()),
    pa.field("n_tokens", pa.int64()),
    pa.field("content_hash", pa.string()),
    pa.field("metadata", pa.string()),
])
"""Kept documents; `rejects` has the same columns (split and n_tokens null)."""

REJECTS = DOCUMENTS

FATES = pa.schema([
    pa.field("page_id", pa.string(), nullable=False),
    pa.field("doc_id", pa.string()),
    pa.field("source", pa.string(), nullable=False),
    pa.field("url", pa.string()),
    pa.field("stage", pa.string(), nullable=False),
    pa.field("reason", pa.string()),
    pa.field("detail", pa.string()),
    pa.field("survivor_id", pa.string()),
])
"""One row a document, and one a page that yielded none. `stage` is one of STAGES; a kept document has no reason."""

STAGES = (
    "gather",
    "extract",
    "clean",
    "format",
    "filter",
    "dedup",
    "mix",
    "split",
    "tokenize",
    "merged",
    "kept",
)

DUPLICATES = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("survivor_id", pa.string(), nullable=False),
    pa.field("similarity", pa.float64(), nullable=False),
    pa.field("method", pa.string(), nullable=False),
    pa.field("against", pa.string()),
])
"""One row a dropped duplicate: the kept document it repeats, and their true Jaccard similarity. `method` is exact, fuzzy or url; `against`
names the other corpus that the survivor is a document of, and is null where it is one of this version."""

GROUPS = pa.schema([
    pa.field("group_id", pa.string(), nullable=False),
    pa.field("component", pa.string(), nullable=False),
    pa.field("split", pa.string(), nullable=False),
    pa.field("n_documents", pa.int64(), nullable=False),
])

EDITS = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("step", pa.string(), nullable=False),
    pa.field("turn", pa.int32()),
    pa.field("field", pa.string()),
    pa.field("start", pa.int64(), nullable=False),
    pa.field("end", pa.int64(), nullable=False),
    pa.field("before", TEXT, nullable=False),
    pa.field("after", TEXT, nullable=False),
])
"""One row a replaced span of the text or, where `turn` is set, of that message's content; `field` is null there. Where a step changed a
message's `name` or `train`, `field` says which, and before and after are the whole of it ("true", "false", or "" for null). Offsets are characters of the text *before* the step; spans of a step do not overlap and
ascend, so replaying a document's steps in row order gives its final text, and backwards its extracted one.
`step` is "<index of the cleaner in the recipe>:<its name>"."""

LEARNED = pa.schema([
    pa.field("step", pa.string(), nullable=False),
    pa.field("scope", pa.string(), nullable=False),
    pa.field("line", pa.string(), nullable=False),
    pa.field("n_pages", pa.int64(), nullable=False),
    pa.field("n_scope_pages", pa.int64(), nullable=False),
    pa.field("n_removed", pa.int64(), nullable=False),
])
"""One row a line that a learning cleaner takes for a site's own furniture (`scope`: the host, or the source): as it is spelled most often, how
many of the site's pages have it, and how often it was removed, from kept and from dropped documents. Where it stood is in `edits`."""

CHUNKS = pa.schema([
    pa.field("chunk_id", pa.string(), nullable=False),
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("group_id", pa.string(), nullable=False),
    pa.field("split", pa.string(), nullable=False),
    pa.field("position", pa.int32(), nullable=False),
    pa.field("char_start", pa.int64()),
    pa.field("char_end", pa.int64()),
    pa.field("turn_start", pa.int32()),
    pa.field("turn_end", pa.int32()),
    pa.field("n_tokens", pa.int32(), nullable=False),
    pa.field("n_trained", pa.int32(), nullable=False),
    pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
    pa.field("labels", pa.list_(pa.int32()), nullable=False),
])
"""Training rows. A label is the token itself, or -100 where no loss is taken; TRL shifts them. `chunk_id` is
H(doc_id, position); positions of a document count from 0 and leave none out."""

CUTS = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("position", pa.int32(), nullable=False),
    pa.field("level", pa.string(), nullable=False),
    pa.field("n_lost", pa.int32(), nullable=False),
    pa.field("n_repeated", pa.int32(), nullable=False),
])
"""One row a place where a document was cut: after the chunk of this `position`, -1 before its first, where something stands in front of that.
`level` is one of LEVELS, the structure that the next chunk begins with; `n_lost` tokens of the document lie in no chunk there; the next chunk
has `n_repeated` tokens at its head that are not its own: overlap, header, what is carried. So of each document: tokens of the chunks, less what
is repeated, plus what is lost, are the tokens of its text and of the EOS that was added."""

LEVELS = ("document", "conversation", "turn", "chapter", "paragraph", "line", "sentence", "word", "token")

# --------------------------------------------------------------------------- between phases

GATHERED = pa.schema([
    *PAGES,
    pa.field("path", pa.string()),
    pa.field("size", pa.int64(), nullable=False),
    pa.field("content", pa.large_binary()),
    pa.field("title", pa.string()),
    pa.field("author", pa.string()),
    pa.field("published", pa.string()),
    pa.field("group", pa.string()),
    pa.field("position", pa.int32()),
    pa.field("fold", pa.bool_(), nullable=False),
    pa.field("metadata", pa.string()),
    pa.field("error", pa.string()),
    pa.field("detail", pa.string()),
    pa.field("row_hash", pa.string(), nullable=False),
])
"""What gather makes of the pages a scraper yields. `content` is null where the file at `path` (absolute, no part of identity)
holds the page's bytes and nothing else; `size` is their length. `group` names the thread or work the page belongs to, `position`
its place there; with `fold` the pages of a group become one document. A page that could not be had has `error` (its reason in
`fates`) and no content_hash. `row_hash` is of everything but path and content."""

EXTRACTED = pa.schema([
    pa.field("extract_key", pa.string(), nullable=False),
    pa.field("text", TEXT),
    pa.field("messages", MESSAGES),
    pa.field("title", pa.string()),
    pa.field("author", pa.string()),
    pa.field("published", pa.string()),
    pa.field("url", pa.string()),
    pa.field("license", pa.string()),
    pa.field("metadata", pa.string()),
    pa.field("error", pa.string()),
    pa.field("detail", pa.string()),
])
"""What extraction makes of a page's bytes: a text, or an `error` that is its reason in `fates`. `detail` explains either: a text that was
not found as the source wished says so in `fates`, too. `extract_key` is
H(content_hash, content_type): equal bytes are extracted once, whatever page they come from."""

DRAFTS = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("page_id", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("locator", pa.string(), nullable=False),
    pa.field("url", pa.string()),
    pa.field("title", pa.string()),
    pa.field("author", pa.string()),
    pa.field("published", pa.string()),
    pa.field("text", TEXT),
    pa.field("messages", MESSAGES),
    pa.field("license", pa.string()),
    pa.field("group", pa.string()),
    pa.field("position", pa.int32()),
    pa.field("n_chars", pa.int64(), nullable=False),
    pa.field("content_hash", pa.string(), nullable=False),
    pa.field("metadata", pa.string()),
    pa.field("stage", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("detail", pa.string()),
])
"""Documents as they are after cleaning and formatting. `content_hash` is of text and messages. `stage` (clean or format)
and `reason` are set where a step refused the document; such a row goes to `rejects` and no further."""

MERGED = pa.schema([
    pa.field("page_id", pa.string(), nullable=False),
    pa.field("doc_id", pa.string(), nullable=False),
])
"""Pages folded into a document that another page began."""

INDEX = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("content_hash", pa.string(), nullable=False),
    pa.field("exact_hash", pa.string(), nullable=False),
    pa.field("n_shingles", pa.int64(), nullable=False),
    pa.field("minhash", pa.list_(pa.uint32())),
])
"""SIGNATURES of every document that was judged, in document order, with the hash of what was signed: the next build signs only what is new."""

SIGNATURES = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("exact_hash", pa.string(), nullable=False),
    pa.field("n_shingles", pa.int64(), nullable=False),
    pa.field("minhash", pa.list_(pa.uint32())),
])
"""`exact_hash` is of the normalised text; `minhash` is null where fuzzy dedup is off or the text has no word."""

EDGES = pa.schema([
    pa.field("doc_a", pa.string(), nullable=False),
    pa.field("doc_b", pa.string(), nullable=False),
    pa.field("similarity", pa.float64(), nullable=False),
])
"""Pairs of documents proven to be duplicates, whether kept or dropped; doc_a < doc_b, ascending."""

VERDICTS = pa.schema([
    pa.field("doc_id", pa.string(), nullable=False),
    pa.field("reason", pa.string()),
    pa.field("detail", pa.string()),
])
"""`reason` is null where every filter passed, else the first rule that failed, in recipe order."""

PUBLISHED = {
    "pages": PAGES,
    "documents": DOCUMENTS,
    "rejects": REJECTS,
    "fates": FATES,
    "duplicates": DUPLICATES,
    "signatures": INDEX,
    "groups": GROUPS,
    "edits": EDITS,
    "learned": LEARNED,
    "chunks": CHUNKS,
    "cuts": CUTS,
}
"""Tables of a version with a fixed schema; `scores` has one column more per score. A version written before a table came has no file of it
(`learned` and `cuts` came with format 3); readers see it as empty."""

SINCE = {"duplicates": {"against": 2}, "edits": {"field": 3}}
"""Columns (all of strings) that came after format 1, and the format they came with; readers see them as null before it."""


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """`table` with exactly the columns of `schema`, in order and cast; a missing column is an error, an extra one too.

    Raises ValueError naming the columns: a boundary that drops columns in silence is how data gets lost.
    """
    missing = [name for name in schema.names if name not in table.column_names]
    extra = [name for name in table.column_names if name not in schema.names]
    if missing or extra:
        raise ValueError(f"table does not fit its schema: missing {missing}, not expected {extra}")
    return table.select(schema.names).cast(schema)

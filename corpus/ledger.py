"""The laws a version's tables must obey, each as the SQL that finds whoever breaks it.

`verify` asks them of the files as they lie on disk, so that a fault in the code that wrote them cannot hide in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from schemas.tables import LEVELS, STAGES

EXAMPLES = 3
"""Offenders named in a message."""


@dataclass(frozen=True, slots=True)
class Law:
    """`broken_by` selects the offenders, one text column; where it finds none, the law holds."""

    says: str
    broken_by: str


_STAGES = ", ".join(f"'{stage}'" for stage in STAGES)

_LEVELS = ", ".join(f"'{level}'" for level in LEVELS)

LAWS = (
    # Law 1: nothing vanishes.
    Law("a page_id stands once in pages", "SELECT page_id FROM pages GROUP BY ALL HAVING count(*) > 1"),
    Law("every page has a fate", "SELECT page_id FROM pages ANTI JOIN fates USING (page_id)"),
    Law("every fate names a page", "SELECT page_id FROM fates ANTI JOIN pages USING (page_id)"),
    Law(
        "a document has one fate",
        "SELECT doc_id FROM fates WHERE doc_id IS NOT NULL GROUP BY ALL HAVING count(*) > 1",
    ),
    Law(
        "a page without a document has one fate",
        "SELECT page_id FROM fates GROUP BY ALL HAVING count(*) FILTER (doc_id IS NULL) > 0 AND count(*) > 1",
    ),
    Law("a fate's stage is a known one", f"SELECT stage FROM fates WHERE stage NOT IN ({_STAGES})"),
    Law(
        "a document with a fate is in documents or in rejects, once",
        """SELECT f.doc_id FROM fates f
           LEFT JOIN (SELECT doc_id, count(*) n FROM (SELECT doc_id FROM documents UNION ALL SELECT doc_id FROM rejects) GROUP BY ALL) d
           USING (doc_id) WHERE f.doc_id IS NOT NULL AND coalesce(d.n, 0) <> 1""",
    ),
    Law(
        "a document has a fate",
        "SELECT doc_id FROM (SELECT doc_id FROM documents UNION ALL SELECT doc_id FROM rejects) ANTI JOIN fates USING (doc_id)",
    ),
    Law(
        "the kept documents are those in documents",
        """SELECT coalesce(d.doc_id, f.doc_id) FROM documents d
           FULL JOIN (SELECT doc_id FROM fates WHERE stage = 'kept') f USING (doc_id) WHERE d.doc_id IS NULL OR f.doc_id IS NULL""",
    ),
    Law(
        "a document belongs to the page its fate names",
        "SELECT doc_id FROM documents d JOIN fates f USING (doc_id) WHERE d.page_id <> f.page_id",
    ),
    Law(
        "scores stand once for a document, and for every kept one",
        """SELECT doc_id FROM scores GROUP BY ALL HAVING count(*) > 1
           UNION ALL (SELECT doc_id FROM scores ANTI JOIN fates USING (doc_id))
           UNION ALL (SELECT doc_id FROM documents ANTI JOIN scores USING (doc_id))""",
    ),
    Law("edits name a document", "SELECT doc_id FROM edits ANTI JOIN fates USING (doc_id)"),
    Law(
        "an edit replaces as many characters as its span has",
        """SELECT doc_id FROM edits WHERE "start" < 0 OR "end" - "start" <> length(before)""",
    ),
    Law(
        "a learned line stands on no more pages than its site has",
        "SELECT line FROM learned WHERE n_pages > n_scope_pages OR n_pages < 1 OR n_removed < 0",
    ),
    # Law 5: a duplicate is proven.
    Law(
        "a document dropped as a duplicate names the survivor that duplicates has",
        """SELECT coalesce(u.doc_id, f.doc_id) FROM duplicates u
           FULL JOIN (SELECT doc_id, survivor_id FROM fates WHERE stage = 'dedup') f USING (doc_id)
           WHERE u.survivor_id IS DISTINCT FROM f.survivor_id""",
    ),
    Law(
        "a survivor was itself kept by dedup, whatever came later",
        """SELECT u.survivor_id FROM duplicates u
           ANTI JOIN (SELECT doc_id FROM fates WHERE stage IN ('kept', 'mix', 'split', 'format', 'tokenize')) f ON u.survivor_id = f.doc_id
           WHERE u.against IS NULL""",
    ),
    Law(
        "signatures stand once for a document",
        """SELECT doc_id FROM signatures GROUP BY ALL HAVING count(*) > 1
           UNION ALL (SELECT doc_id FROM signatures ANTI JOIN fates USING (doc_id))""",
    ),
    # Law 6: no leak across splits.
    Law("a group stands once in groups", "SELECT group_id FROM groups GROUP BY ALL HAVING count(*) > 1"),
    Law(
        "a component lies in one split",
        "SELECT component FROM groups GROUP BY ALL HAVING count(DISTINCT split) > 1",
    ),
    Law(
        "a group counts its documents",
        """SELECT g.group_id FROM groups g LEFT JOIN (SELECT group_id, count(*) n FROM documents GROUP BY ALL) d USING (group_id)
           WHERE g.n_documents IS DISTINCT FROM d.n""",
    ),
    Law(
        "a document is in the split of its group",
        "SELECT d.doc_id FROM documents d LEFT JOIN groups g USING (group_id) WHERE g.split IS DISTINCT FROM d.split OR d.split IS NULL",
    ),
    Law(
        "a chunk is in the split and group of its document",
        """SELECT c.chunk_id FROM chunks c LEFT JOIN documents d USING (doc_id)
           WHERE d.split IS DISTINCT FROM c.split OR d.group_id IS DISTINCT FROM c.group_id""",
    ),
    # Law 7: no token is trained by accident.
    Law("a chunk_id stands once in chunks", "SELECT chunk_id FROM chunks GROUP BY ALL HAVING count(*) > 1"),
    Law(
        "a chunk has a label for each of its n_tokens",
        "SELECT chunk_id FROM chunks WHERE len(labels) <> len(input_ids) OR len(input_ids) <> n_tokens",
    ),
    Law(
        "a label is its token or -100, and n_trained counts the former",
        """SELECT chunk_id FROM chunks
           WHERE len(list_filter(labels, lambda label: label <> -100)) <> n_trained
              OR len(list_filter(list_zip(input_ids, labels), lambda pair: pair[2] <> -100 AND pair[1] IS DISTINCT FROM pair[2])) > 0""",
    ),
    Law(
        "the chunks of a document count from 0 and add up to its n_tokens",
        """SELECT d.doc_id FROM documents d
           LEFT JOIN (SELECT doc_id, count(*) n, count(DISTINCT position) p, min(position) low, max(position) high, sum(n_tokens) t
                      FROM chunks GROUP BY ALL) c USING (doc_id)
           WHERE c.n IS NULL OR c.n <> c.p OR c.low <> 0 OR c.high <> c.n - 1 OR d.n_tokens IS DISTINCT FROM c.t""",
    ),
    Law(
        "a cut lies behind a chunk of its document or before the first, once",
        """SELECT doc_id FROM cuts t ANTI JOIN chunks c ON c.doc_id = t.doc_id AND c.position = greatest(t.position, 0)
           UNION ALL (SELECT doc_id FROM cuts GROUP BY doc_id, position HAVING count(*) > 1)""",
    ),
    Law(
        "a cut's level is a known one, and its counts are counts",
        f"SELECT doc_id FROM cuts WHERE level NOT IN ({_LEVELS}) OR n_lost < 0 OR n_repeated < 0 OR position < -1",
    ),
    Law(
        "what a chunk repeats of others is not trained",
        """SELECT c.chunk_id FROM cuts t JOIN chunks c ON c.doc_id = t.doc_id AND c.position = t.position + 1
           WHERE len(list_filter(c.labels[1:t.n_repeated], lambda label: label <> -100)) > 0""",
    ),
)


def broken(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """One line for each law that does not hold, with offenders; `connection` has the tables (`corpus.query.connect`)."""
    return [line for law in LAWS if (line := _line(connection, law))]


def _line(connection: duckdb.DuckDBPyConnection, law: Law) -> str | None:
    found = connection.execute(
        f"SELECT count(*), list(offender::VARCHAR ORDER BY offender)[:{EXAMPLES}] FROM ({law.broken_by}) AS _(offender)"
    ).fetchone()
    if not found or not found[0]:
        return None
    return f"law: {law.says}; it does not hold for {found[0]:,}: {', '.join(found[1])}{', …' if found[0] > EXAMPLES else ''}"

"""SQL over a version: DuckDB views on its Parquet files, in memory, read only.

A statement may come from anybody (a page's title pasted into a WHERE, a colleague's snippet), so two locks are on. The parser
lets only SELECT and EXPLAIN of a SELECT through: `EXPLAIN ANALYZE COPY …` is an EXPLAIN too, and runs its COPY. And DuckDB itself may
open nothing but the version's files, load no extension, see no Python variable, and change no setting back.
"""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.answers import PLAN
from schemas.errors import UserError, nearest
from schemas.runtime import available_cores
from schemas.store import VersionPath
from schemas.tables import PUBLISHED, SINCE

TABLES = (
    *("pages", "documents", "rejects", "fates", "scores"),
    *("duplicates", "signatures", "groups", "edits", "learned", "chunks", "cuts"),
)
"""Every table of a version (DESIGN section 4)."""

WITHOUT_FILES = {**PUBLISHED, "scores": pa.schema([pa.field("doc_id", pa.string(), nullable=False)])}

EXPLAIN = re.compile(
    r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*explain\b\s*(?:analyze\b|analyse\b)?\s*(?:\([^()]*\))?",
    re.IGNORECASE | re.DOTALL,
)
UNKNOWN_TABLE = re.compile(r"Table with name (\S+) does not exist")
UNKNOWN_COLUMN = re.compile(r'(?:Referenced column|column named) "([^"]+)"')

_spills = itertools.count()


def connect(
    *versions: VersionPath, threads: int | None = None, memory: str | None = None
) -> duckdb.DuckDBPyConnection:
    """A locked in-memory connection with a view for every table of the newest-named, that is the last, of `versions`.

    With several, the tables of each also stand in a schema of its name: `"hearthside@1".documents`. A table without files
    still has a typed view. `threads` defaults to the cores of this process, `memory` ("4GB") to DuckDB's 80 % of what the
    machine or container has; beyond it DuckDB spills to the system's temporary folder.
    """
    connection = opened(threads, memory)
    allowed: list[str] = []
    for version in versions:
        schemas = ["main"] if version is versions[-1] else []
        schemas += [version.spec] if len(versions) > 1 else []
        for schema in schemas:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_name(schema)}")
            for table in TABLES:
                files = [str(path.absolute()) for path in version.files(table)]
                _define(connection, f"{_name(schema)}.{table}", table, files)
                allowed += files
    lock(connection, allowed)
    return connection


def opened(threads: int | None = None, memory: str | None = None) -> duckdb.DuckDBPyConnection:
    """A connection in memory, to be given its views and then to be locked."""
    return duckdb.connect(
        ":memory:",
        config={
            "threads": threads or available_cores(),
            "temp_directory": str(
                Path(tempfile.gettempdir()) / f"gristmill-sql-{os.getpid()}-{next(_spills)}"
            ),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            **({"memory_limit": memory} if memory else {}),
        },
    )


def lock(connection: duckdb.DuckDBPyConnection, allowed: Iterable[str]) -> None:
    """Let it open the files `allowed` and nothing else from now on, and change no setting back."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET allowed_paths = {texts(sorted(set(allowed)))}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def query(version: VersionPath, sql: str) -> pl.DataFrame:
    """The answer to one SELECT (or EXPLAIN of one) over the tables of `version`.

    Sums of whole numbers come back as whole numbers. Raises UserError, with DuckDB's words and the nearest name, for anything
    else and for what DuckDB refuses; Mismatch for a version that a newer gristmill wrote, Corruption where its manifest was changed.
    """
    version.manifest()  # read for what it raises: columns of another layout would be answered from as if they were ours
    connection = connect(version)
    try:
        return ask(connection, sql)
    finally:
        connection.close()


def ask(connection: duckdb.DuckDBPyConnection, sql: str, tables: Sequence[str] = TABLES) -> pl.DataFrame:
    """`query`, on a connection that was locked and has these `tables`."""
    try:
        statement = _only_statement(connection, sql)
        if statement.type == duckdb.StatementType.EXPLAIN:
            keys, plans = zip(*connection.execute(statement).fetchall(), strict=True)
            return pl.DataFrame(dict(zip(PLAN, (keys, plans), strict=True)))
        return _frame(connection.sql(statement.query).to_arrow_table())
    except duckdb.Error as error:
        raise UserError(_explained(connection, error, tables)) from None


def _only_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """The one statement of `sql`, if it only reads."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise UserError(
            f"that is {len(statements)} statements; ask one at a time, such as: select count(*) from documents"
        )
    statement = statements[0]
    inner = statement
    if statement.type == duckdb.StatementType.EXPLAIN:
        head = EXPLAIN.match(statement.query)
        explained = connection.extract_statements(statement.query[head.end() :]) if head else []
        inner = explained[0] if len(explained) == 1 else statement
    if inner.type != duckdb.StatementType.SELECT:
        kind = inner.type.name.replace("_", " ")
        raise UserError(
            f"{kind} is not allowed: what was published never changes, so only SELECT (and EXPLAIN of it) may run. "
            'To write an answer to a file: gristmill sql NAME "select …" --format csv > answer.csv'
        )
    return statement


def _define(connection: duckdb.DuckDBPyConnection, target: str, table: str, files: Sequence[str]) -> None:
    if files:
        source = f"read_parquet({texts(files)}, hive_partitioning = false)"
        later = "".join(f", NULL::VARCHAR AS {_name(column)}" for column in _later(table, files[0]))
        connection.execute(f"CREATE VIEW {target} AS SELECT *{later} FROM {source}")
        return
    connection.register("nothing", WITHOUT_FILES[table].empty_table())
    connection.execute(f"CREATE TABLE {target} AS SELECT * FROM nothing")
    connection.unregister("nothing")


def _later(table: str, file: str) -> list[str]:
    """Columns of the table that a version written by an older gristmill does not have."""
    columns = SINCE.get(table, {})
    present = set(pq.read_schema(file).names) if columns else set()
    return [column for column in columns if column not in present]


def _frame(table: pa.Table) -> pl.DataFrame:
    """Arrow to polars; DuckDB sums whole numbers as DECIMAL(38, 0), which nobody wants to see as 42.0."""
    try:
        frame = cast(pl.DataFrame, pl.from_arrow(table))
    except (pl.exceptions.PolarsError, pa.ArrowException) as error:
        types = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        raise UserError(
            f"the answer has a type that cannot be shown ({types}): {error}. Cast it: select column::varchar"
        ) from None
    whole = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Decimal) and kind.scale == 0]
    return frame.with_columns(
        column
        for name in whole
        if (column := frame[name].cast(pl.Int64, strict=False)).null_count() == frame[name].null_count()
    )


def _explained(connection: duckdb.DuckDBPyConnection, error: duckdb.Error, tables: Sequence[str]) -> str:
    """DuckDB's message, and the nearest table or column of ours: its own guess ranges over system tables."""
    message = str(error).strip()
    if isinstance(error, duckdb.OutOfMemoryException):
        first = message.partition("\n")[0]
        return f"{first}\nAsk for less at a time: fewer columns, a WHERE, or an aggregate instead of rows."
    if isinstance(error, duckdb.PermissionException):
        return f"{message}\nSQL here reads {', '.join(tables)} and nothing else."
    if found := UNKNOWN_TABLE.search(message):
        first = message.partition("\n")[0]
        return f"{first}\n{nearest(found[1], tables)} The tables are: {', '.join(tables)}.".replace(
            "\n ", "\n"
        )
    if found := UNKNOWN_COLUMN.search(message):
        columns = connection.execute(
            "SELECT DISTINCT table_name, column_name FROM duckdb_columns() WHERE list_contains($1, table_name)",
            [list(tables)],
        ).fetchall()
        near = nearest(found[1], sorted({column for _, column in columns}))
        owners = sorted(table for table, column in columns if f'"{column}"' in near)
        return (
            f"{message}\n{near} It is a column of {', '.join(owners)}."
            if owners
            else f"{message}\n`describe TABLE` lists a table's columns."
        )
    return message


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def texts(values: Sequence[str]) -> str:
    """A list of texts as DuckDB writes it, quoted."""
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"

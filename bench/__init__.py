"""gristmill and its peers side by side, on real pages. `bench/run.py` is where to begin."""

"""Columnar text kernels over Arrow buffers (UTF-8 bytes and offsets), for built-ins and plugin authors alike."""

WORDS = tuple(f"plugins.kernels.{name}" for name in ("alphabet", "buffers", "raw", "scan", "words"))
"""The modules that words and shingles depend on: what a plugin that reads them names among its `kernels`, and …"""

TOKENS = (
    *WORDS,
    *(f"plugins.kernels.token_{name}" for name in ("infixes", "lookup", "memo", "rules", "tables")),
    "plugins.kernels.tokens",
)
"""… those that tokens do."""

"""Columnar text kernels over Arrow buffers (UTF-8 bytes and offsets), for built-ins and plugin authors alike."""

TOKENS = tuple(
    f"plugins.kernels.{name}"
    for name in (
        *("alphabet", "buffers", "compiled", "raw", "token_infixes", "token_lookup"),
        *("token_memo", "token_rules", "token_tables", "tokens", "words"),
    )
)
"""The modules that tokens depend on: what a plugin that reads them names among its `kernels`."""

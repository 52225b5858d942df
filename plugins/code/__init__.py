"""Reading source code: which language, what a grammar makes of it, whether it is whole. No code is ever run."""

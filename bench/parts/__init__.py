"""One comparison a file: `run(setting)` gives its figures as JSON values, `table(figures)` says them in Markdown."""

"""The network side of scrapers: which address may be dialled, what a site permits, how its answers are kept."""

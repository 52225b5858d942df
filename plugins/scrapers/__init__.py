"""Built-in scrapers."""

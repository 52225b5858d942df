"""Everything a recipe names with `use = "…"`, and the door for strangers."""

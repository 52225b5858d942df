"""`gristmill plugins`: list what a recipe can name, start a plugin of one's own, and test one against the contract."""

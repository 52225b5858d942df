"""What the commands of `corpus.cli` share: how they fail, how strangers' commands join, and how results are told."""

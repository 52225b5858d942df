"""Nothing here is a test of ours: each folder is a project as a stranger would publish it, installed by a test that uses it."""

collect_ignore_glob = ["*"]

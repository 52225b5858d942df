"""What is counted, estimated and refused before a run begins."""

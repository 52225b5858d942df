"""The optimiser's steps: batches, passes, memory, processes, optimisers and schedules."""

"""What happens around the steps: stopping, diverging, interrupting, checkpoints, and a run's end."""

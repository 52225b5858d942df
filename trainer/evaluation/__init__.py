"""What the sealed test says, with intervals; memorisation, samples, lm-evaluation-harness."""

"""From a question to an answer: tokens, sampling, stop marks, the talk on a terminal."""

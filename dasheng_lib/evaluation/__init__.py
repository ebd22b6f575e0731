"""From an encoder and a task to a score."""

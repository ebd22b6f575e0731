"""What chapters draw, and what a reader may touch or hear."""

"""What every room stands on: errors, the cache, places, provenance, processes."""

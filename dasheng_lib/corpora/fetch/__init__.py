"""Downloads, verified, and archives, unpacked without escapes."""

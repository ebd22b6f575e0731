"""The corpus pocket: real recordings out of Debian packages."""

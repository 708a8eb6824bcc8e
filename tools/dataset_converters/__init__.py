"""Converters of data of others to the files that datasets read."""

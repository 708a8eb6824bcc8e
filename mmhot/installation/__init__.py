"""Installed packages: what ``mmhot doctor`` reports, and imports of optional ones."""

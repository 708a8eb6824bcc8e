"""Left to ``pyproject.toml``; here for tools that look for the file."""

from setuptools import setup

setup()

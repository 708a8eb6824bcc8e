"""Folders of the repository."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / 'tests/data'
DEMO = ROOT / 'demo'
CONFIGS = ROOT / 'configs'

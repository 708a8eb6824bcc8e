"""Folders of the repository, and of MMPose."""

from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / 'tests/data'
DEMO = ROOT / 'demo'
CONFIGS = ROOT / 'configs'
# What comes with MMPose, which is not imported for it.
MMPOSE = Path(find_spec('mmpose').origin).parent / '.mim'

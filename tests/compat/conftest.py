"""Code in fresh interpreters, in which a package may be missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HIDE = """
import sys
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == {!r} else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


@pytest.fixture
def run_python():
    """A function that returns the lines which code prints."""

    def run(code, *arguments, hidden=None, folder=ROOT):
        code = (HIDE.format(hidden) if hidden else '') + code
        done = subprocess.run(
            [sys.executable, '-c', code, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, 'PYTHONPATH': f'{folder}{os.pathsep}{ROOT}'},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run

"""Code in fresh interpreters, in which a package may be missing."""

import os
import subprocess
import sys

from paths import ROOT

HIDE = """
import sys
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == {!r} else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


def run_python(code, hidden=None, folder=ROOT):
    """Run code in a new interpreter; return the printed lines."""
    code = (HIDE.format(hidden) if hidden else '') + code
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': f'{folder}{os.pathsep}{ROOT}'},
    )
    assert done.returncode == 0, done.stderr
    assert 'WARNING' not in done.stdout + done.stderr
    return done.stdout.splitlines()

"""Settings that ``pyproject.toml`` cannot express; the others are there."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# What MMEngine and mim look for in the folder `.mim` of a package, and the example of
# `mmhot ui`.
PATTERNS = 'model-index.yml', 'configs/**/*.*', 'requirements/*.txt', 'tools/**/*.py'
PATTERNS += ('demo/walk.mp4',)


class BuildWithMim(build_py):
    """Builds of the package with ``.mim``, which is no folder of the repository.

    Wheels have copies. Editable installs have links to the repository's files, or
    copies where links are not allowed, as on Windows.
    """

    def run(self) -> None:
        """Build the package, and add ``.mim``."""
        super().run()
        if self.editable_mode:
            link_mim(ROOT)
            return
        for source in sorted(x for each in PATTERNS for x in ROOT.glob(each)):
            target = Path(self.build_lib, 'mmhot/.mim', source.relative_to(ROOT))
            if '__pycache__' not in source.parts:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def link_mim(root: Path) -> None:
    """Make ``mmhot/.mim`` of a clone."""
    folder = root / 'mmhot/.mim'
    folder.mkdir(exist_ok=True)
    for name in {pattern.partition('/')[0] for pattern in PATTERNS}:
        target = folder / name
        try:
            target.unlink(missing_ok=True)
            target.symlink_to(f'../../{name}')
        except OSError:
            if (root / name).is_dir():
                shutil.copytree(root / name, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(root / name, target)


if __name__ == '__main__':
    setup(cmdclass=dict(build_py=BuildWithMim))

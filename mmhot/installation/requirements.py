"""The versions that the tests ran with, from the files that pip is given."""

import operator
import re
from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = Path(__file__).parents[1] / '.mim' / 'requirements'
PYTHON = (3, 11)

# Imported under another name than their distribution's, `-` being `_`.
_MODULES = {
    'opencv-python-headless': 'cv2',
    'pillow': 'PIL',
    'pyyaml': 'yaml',
    'rerun-sdk': 'rerun',
}
_COMPARE = {
    '<': operator.lt,
    '<=': operator.le,
    '>': operator.gt,
    '>=': operator.ge,
    '!=': operator.ne,
}
_LINE = re.compile(r'(?P<name>[\w.-]+)(?P<spec>[^#\s]*)\s*(?:#\s*(?P<reason>.*))?')
_BOUND = re.compile(r'([<>!]=?)\s*([\d.]+)\s*:\s*(.*)')


@dataclass(frozen=True)
class Requirement:
    """One line of a file in ``requirements/``.

    Args:
        name (str): Distribution.
        spec (str): ``'==2.11.0'`` for what the tests ran with, ``'>=24'``, or nothing.
        reason (str): The line's comment. ``'<2: why'`` says that versions from 2 on do
            not work.
        file (str): Stem of the file: ``build``, ``run``, ``mm`` or ``optional``.
    """

    name: str
    spec: str
    reason: str
    file: str

    @property
    def module(self) -> str:
        """What Python imports."""
        return _MODULES.get(self.name, self.name.replace('-', '_'))

    @property
    def tested(self) -> str:
        """Versions that the tests ran with, for people."""
        if self.spec.startswith('=='):
            return '.'.join(map(str, self._series)) + '.x'
        return self.spec or 'any'

    def is_tested(self, version: str) -> bool:
        """Whether a version is of the release series that the tests ran with."""
        numbers = release(version)
        if self.spec.startswith('=='):
            return numbers[:2] == self._series
        return not self.spec or _satisfies(numbers, self.spec[:2], self.spec[2:])

    def objection(self, version: str) -> str:
        """Say why a version is known not to work; nothing if it is not."""
        bound = _BOUND.match(self.reason)
        if bound is None or _satisfies(release(version), bound[1], bound[2]):
            return ''
        return f'needs {bound[1]}{bound[2]}: {bound[3]}'

    @property
    def _series(self) -> tuple[int, ...]:
        return release(self.spec[2:])[:2]

    def __str__(self) -> str:
        return self.name + self.spec


def read_requirements(file: str) -> list[Requirement]:
    """Read one of the requirement files, and those that it names, in their order.

    Args:
        file (str): Stem, such as ``'run'``; it becomes every requirement's ``file``.

    Raises:
        FileNotFoundError: If the package was installed without its data.
    """
    found = []
    for line in (FOLDER / f'{file}.txt').read_text(encoding='utf-8').splitlines():
        if line.startswith('-r '):
            named = read_requirements(Path(line[3:].strip()).stem)
            found += [replace(item, file=file) for item in named]
        elif match := _LINE.match(line):
            found.append(
                Requirement(match['name'], match['spec'], match['reason'] or '', file)
            )
    return found


def release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``'2.11.0+cu130'`` becomes (2, 11, 0)."""
    match = re.match(r'\d+(\.\d+)*', version)
    return tuple(map(int, match[0].split('.'))) if match else ()


def _satisfies(numbers: tuple[int, ...], sign: str, bound: str) -> bool:
    wanted = release(bound)
    length = max(len(numbers), len(wanted))
    padded = (x + (0,) * (length - len(x)) for x in (numbers, wanted))
    return _COMPARE[sign](*padded)

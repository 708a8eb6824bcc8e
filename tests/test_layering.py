"""Imports inside mmhot point one way, without circles."""

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest
from paths import ROOT

# Rooms from the bottom up: each may import those before it, also where an import is
# inside of a function or for type checks.
ROOMS = (
    *('version', 'errors', 'progress', 'extensions', 'options', 'utils', 'compat'),
    *('geometry', 'skeletons', 'structures', 'io'),
    *('models.layers', 'models.tokens', 'models.gtpt', 'models.lifters', 'models'),
    'tokens',
    *('codecs', 'datasets', 'evaluation', 'deploy', 'weights', 'engine'),
    *('chain.frames', 'chain.step', 'chain.pose2d', 'chain.tracking'),
    *('chain.keypoints', 'chain.lifting', 'chain.poses', 'chain.visualization'),
    *('chain', 'apis', 'ui', 'cli'),
)
ONLY = {
    'compat': {'version', 'errors'},
    'geometry': {'errors'},
    'structures': {'skeletons', 'geometry', 'errors'},
}
# The list of all that registers itself, which any module may load before it builds a
# model by name.
LISTS = ('mmhot.plugin', 'mmhot.registry')


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


MODULES = {module_of(path): path for path in sorted((ROOT / 'mmhot').rglob('*.py'))}
# No module imports the roof, which has the public names.
INSIDE = [name for name in MODULES if name not in ('mmhot', 'mmhot.__main__', *LISTS)]


def room_of(module):
    found = [room for room in ROOMS if f'{module}.'.startswith(f'mmhot.{room}.')]
    return max(found, key=len, default=None)


@cache
def tree_of(module):
    return ast.parse(MODULES[module].read_text(encoding='utf-8'))


@cache
def nodes_of(module):
    return [*ast.walk(tree_of(module))]


def imports_of(node):
    """Modules of mmhot that a statement imports."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & MODULES.keys()
    if not isinstance(node, ast.ImportFrom) or node.module not in MODULES:
        return set()
    names = {f'{node.module}.{alias.name}' for alias in node.names}
    return names & MODULES.keys() or {node.module}


@cache
def all_imports(module):
    found = (imports_of(node) for node in nodes_of(module))
    return set().union(*found) - {module, *LISTS}


def test_imports_point_one_way():
    wrong = []
    for module in INSIDE:
        room = room_of(module)
        assert room is not None, f'{module} is in no room of ROOMS'
        allowed = ONLY.get(room, set(ROOMS[: ROOMS.index(room)])) | {room}
        others = [x for x in all_imports(module) if room_of(x) not in allowed]
        wrong += [f'{module} imports {other}' for other in others]
    assert not wrong


def test_no_circles():
    try:
        TopologicalSorter({name: all_imports(name) for name in INSIDE}).prepare()
    except CycleError as error:
        pytest.fail(' -> '.join(error.args[1]))


def test_imports_are_absolute():
    assert not [
        module
        for module in MODULES
        for node in nodes_of(module)
        if isinstance(node, ast.ImportFrom) and node.level
    ]


def test_methods_of_clips_alone_are_named_by_text():
    """Data lies below what writes and shows it."""
    found = [
        module
        for module in INSIDE
        for node in nodes_of(module)
        if isinstance(node, ast.Constant)
        and re.fullmatch(r'mmhot[\w.]*:\w+', str(node.value))
    ]
    assert found == ['mmhot.structures.clips_3d'] * 4

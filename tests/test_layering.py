"""Imports inside mmhot point one way, without circles."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / 'mmhot').rglob('*.py'))
# A module imports from its own line and from those above.
LAYERS = (
    'skeletons errors compat',
    'structures io.arrays io.atomic io.images',
    'codecs datasets evaluation',
    'models.layers',
    'models.tokens',
    'models.gtpt models.lifters',
    'engine',
    'weights io lifting motion deploy',
    'video',
    'visualization',
    'apis',
    'cli ui',
)
RANKS = {f'mmhot.{name}': i for i, line in enumerate(LAYERS) for name in line.split()}
RANKS |= {'mmhot': 0, 'mmhot.registry': 0, 'mmhot.models': RANKS['mmhot.models.gtpt']}
RANKS['mmhot.checkpoints'] = RANKS['mmhot.weights']  # its public name
# Imported from everywhere, and so importing nothing else of mmhot.
FOUNDATIONS = ('mmhot.compat',)
EXCEPTIONS = {
    # Clip3D.save writes any format, and imports its writers when it is called.
    ('mmhot.structures.clips', 'mmhot.apis.export'),
}
# Lazy names of the package, the entry point, and the list of all that registers itself,
# which any module may load before it builds a model by name.
UNRANKED = ('mmhot', 'mmhot.__main__', 'mmhot.plugin')


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


MODULES = {module_of(path): path for path in FILES}


def imports_of(node, module):
    """Modules of mmhot that a statement imports."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names if alias.name in MODULES}
    if not isinstance(node, ast.ImportFrom):
        return set()
    source = node.module or ''
    if node.level:
        package = module.split('.')
        package = package[: len(package) - node.level + (module in PACKAGES)]
        source = '.'.join([*package, *filter(None, [source])])
    if source not in MODULES:
        return set()
    names = {f'{source}.{alias.name}' for alias in node.names}
    return names & MODULES.keys() or {source}


PACKAGES = {name for name, path in MODULES.items() if path.name == '__init__.py'}


@cache
def parse(module):
    return ast.parse(MODULES[module].read_text(encoding='utf-8'))


def all_imports(module):
    """Modules imported anywhere, in functions and for type checks, too."""
    found = (imports_of(node, module) for node in ast.walk(parse(module)))
    return set().union(*found)


def imports_at_load(module):
    """Modules imported when a module is loaded."""
    found = (imports_of(node, module) for node in parse(module).body)
    return set().union(*found) - {module}


def package_of(module):
    """The longest entry of RANKS that a module belongs to; None of others."""
    entries = [name for name in RANKS if f'{module}.'.startswith(f'{name}.')]
    package = max(entries, key=len)
    return None if package == 'mmhot' and module != 'mmhot' else package


def is_allowed(module, target):
    package, owner = package_of(module), package_of(target)
    if target in UNRANKED or (module, target) in EXCEPTIONS or package == owner:
        return True
    if package in FOUNDATIONS:
        return owner in ('mmhot', 'mmhot.errors', 'mmhot.skeletons')
    return None not in (package, owner) and RANKS[owner] <= RANKS[package]


@pytest.mark.parametrize('module', [name for name in MODULES if name not in UNRANKED])
def test_imports_point_one_way(module):
    assert package_of(module) is not None, 'belongs to no line of LAYERS'
    imported = all_imports(module)
    assert not {target for target in imported if not is_allowed(module, target)}


def test_no_circles():
    graph = {module: imports_at_load(module) for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(' -> '.join(error.args[1]))


def test_imports_are_absolute():
    relative = [
        module
        for module in MODULES
        for node in ast.walk(parse(module))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative

"""Configs from files, which run, and from within checkpoints, which must not.

MMEngine stores a training's config as Python text in ``meta['cfg']``. Running that
text would let a downloaded checkpoint do anything, however safely its tensors are
loaded. What MMEngine writes are assignments of literals and ``dict(...)`` only, so that
is what is read here.
"""

import ast
import importlib.util
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmhot.errors import hint_at_names


def read_config_file(path: str | Path) -> Config:
    """Read a config file and its bases.

    Args:
        path (str | Path): The file, or ``PACKAGE::PATH`` as in :func:`find_config`.

    Returns:
        Config: Its settings.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no config; says what went wrong within.
    """
    path = find_config(path)
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such config file')
    try:
        return Config.fromfile(path)
    except Exception as error:
        # a config is a program: whatever it raises, the file is at fault
        reason = f'{type(error).__name__}: {error}'
        raise ValueError(f'{path} is no usable config: {reason}') from error


def find_config(name: str | Path) -> Path:
    """Find a config by the name that ``_base_`` and MMEngine's hub take, too.

    Args:
        name (str | Path): A file, or ``PACKAGE::PATH`` of a config that comes with
            an installed package, for example ``mmpose::body_2d_keypoint/...``.

    Returns:
        Path: The file; it need not exist if it was named as one.

    Raises:
        FileNotFoundError: If there is no such package, or no such config in it.
    """
    package, separator, inner = str(name).partition('::')
    if not separator:
        return Path(name)
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f'{name}: no package {package!r} is installed')
    configs = Path(found.submodule_search_locations[0], '.mim', 'configs')
    if not (configs / inner).is_file():
        known = (str(path.relative_to(configs)) for path in configs.rglob('*.py'))
        hint = hint_at_names(inner, known, 'for example')
        raise FileNotFoundError(f'{package} has no config {inner}; {hint}')
    return configs / inner


def parse_config_text(text: str) -> Config:
    """Read a config of literals.

    Args:
        text (str): Assignments as in ``Config.pretty_text``.

    Returns:
        Config: The same settings. ``custom_imports`` are not imported.

    Raises:
        ValueError: If the text is anything but assignments of literals.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ValueError(f'the config within is no Python: {error}') from error
    settings = {}
    for statement in statements:
        if not isinstance(statement, ast.Assign) or not all(
            isinstance(target, ast.Name) for target in statement.targets
        ):
            raise _refused(statement)
        try:
            value = _literal(statement.value)
        except TypeError as error:  # a list as a key
            raise _refused(statement) from error
        settings.update({target.id: value for target in statement.targets})
    return Config(settings)


def _literal(node: ast.expr) -> Any:
    """Value of literals, containers of them, and ``dict(key=...)``."""
    match node:
        case ast.Call(func=ast.Name(id='dict'), args=args, keywords=keywords):
            # dict({...}) where a key is no name
            if len(args) <= 1 and all(keyword.arg for keyword in keywords):
                named = {keyword.arg: _literal(keyword.value) for keyword in keywords}
                return dict(*map(_literal, args)) | named
        case ast.Dict(keys=keys, values=values):
            if all(keys):
                pairs = zip(keys, values, strict=True)
                return {_literal(key): _literal(value) for key, value in pairs}
        case ast.List(elts=items):
            return [_literal(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_literal(item) for item in items)
        case ast.Constant() | ast.UnaryOp() | ast.BinOp() | ast.Set():
            try:
                return ast.literal_eval(node)
            except (ValueError, TypeError) as error:
                raise _refused(node) from error
    raise _refused(node)


def _refused(node: ast.AST) -> ValueError:
    line = getattr(node, 'lineno', 0)
    return ValueError(
        f'the config within holds more than settings in its line {line}, and is not run'
    )

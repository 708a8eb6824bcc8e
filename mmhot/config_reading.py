"""Configs from files, which run, and from within checkpoints, which must not.

MMEngine stores a training's config as Python text in ``meta['cfg']``. Running that
text would let a downloaded checkpoint do anything, however safely its tensors are
loaded. What MMEngine writes are assignments of literals and ``dict(...)`` only, so that
is what is read here.
"""

import ast
from pathlib import Path
from typing import Any

from mmengine.config import Config


def read_config_file(path: str | Path) -> Config:
    """Read a config file and its bases.

    Args:
        path (str | Path): The file.

    Returns:
        Config: Its settings.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no config; says what went wrong within.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such config file')
    try:
        return Config.fromfile(path)
    except Exception as error:
        # a config is a program: whatever it raises, the file is at fault
        reason = f'{type(error).__name__}: {error}'
        raise ValueError(f'{path} is no usable config: {reason}') from error


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

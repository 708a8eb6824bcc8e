"""Reading of config files, and of the config text in checkpoints.

MMEngine stores a training's config as Python text in ``meta['cfg']``. The text has only
assignments of literals and ``dict(...)``. It is parsed, because executing text from a
downloaded checkpoint would be unsafe.
"""

import ast
from pathlib import Path

from mmengine.config import Config

from mmhot.errors import explain
from mmhot.weights.names import find_config


def read_config_file(
    path: str | Path, import_modules: bool = True, scope: str = 'mmpose'
) -> Config:
    """Read a config file and its bases, by path or ``PACKAGE::PATH``.

    Args:
        path (str | Path): Path, or ``PACKAGE::PATH``.
        import_modules (bool): Whether to import the ``custom_imports``, which takes
            seconds. Defaults to True.
        scope (str): ``default_scope`` of a config that has none. Defaults to 'mmpose'.

    Returns:
        Config: The config.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not a .py file, or its execution raises an error.

    Example::

        config = read_config_file('mmpose::_base_/default_runtime.py')
    """
    path = find_config(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such config file')
    if path.suffix != '.py':  # MMEngine would also read JSON and YAML with bases
        raise ValueError(f'{path} is not a usable config: it is not a .py file')
    try:
        config = Config.fromfile(path, import_custom_modules=import_modules)
        config.default_scope = config.get('default_scope') or scope
        return config
    except (Exception, SystemExit) as error:  # a config is a program
        known = explain(error) if isinstance(error, KeyError) else None
        reason = known or f'{type(error).__name__}: {error}'
        raise ValueError(f'{path} is not a usable config: {reason}') from error


def parse_config_text(text: str) -> Config:
    """Parse the text of a config, without executing it.

    Args:
        text (str): Assignments of literals and ``dict(...)``, such as
            ``Config.pretty_text``. Its ``custom_imports`` are not imported.

    Returns:
        Config: The settings.

    Raises:
        ValueError: If the text is not Python, or has other statements.

    Example:
        >>> parse_config_text("model = dict(type='HoT', depth=2)").model.depth
        2
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ValueError(f'the config inside is not Python: {error}') from error
    settings = {}
    for statement in statements:
        try:
            match statement:
                case ast.Assign([ast.Name(name)], value):
                    settings[name] = ast.literal_eval(_DictCalls().visit(value))
                case _:
                    raise TypeError('not an assignment')
        except (AttributeError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f'line {statement.lineno} of the config inside is not an assignment of '
                'literals; it is not executed, as the file may be from anywhere'
            ) from error
    return Config(settings)


class _DictCalls(ast.NodeTransformer):
    """Replace calls ``dict({...}, key=...)`` by dict literals."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Name('dict'), [], keywords):
                first = ast.Dict([], [])
            case ast.Call(ast.Name('dict'), [ast.Dict() as first], keywords):
                pass
            case _:
                raise ValueError('only dict(...) is a literal')
        if not all(keyword.arg for keyword in keywords):
            raise ValueError('only keyword arguments are literals')
        names = [ast.Constant(keyword.arg) for keyword in keywords]
        values = [keyword.value for keyword in keywords]
        return ast.Dict([*first.keys, *names], [*first.values, *values])

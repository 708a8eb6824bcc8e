"""Say which versions are installed here and which shims they need."""

import argparse
import platform

_PACKAGES = (
    'torch',
    'torchvision',
    'numpy',
    'mmengine',
    'mmcv',
    'mmdet',
    'mmpose',
    'matplotlib',
    'opencv-python-headless',
    'av',
    'setuptools',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options: there are none."""


def run(args: argparse.Namespace) -> int:
    """Print the tables; the exit code is 1 if a package is missing."""
    import mmhot
    from mmhot import compat
    from mmhot.cli.device import choose_device
    from mmhot.cli.errors import print_line

    versions = {name: _version(name) for name in _PACKAGES}
    rows = [
        ('mmhot', mmhot.__version__),
        ('python', platform.python_version()),
        *((name, found or 'missing') for name, found in versions.items()),
    ]
    if versions['torch']:
        rows.append(('device', choose_device(args.device)))
    if None not in versions.values():
        in_place = compat.apply()
        for shim in compat.SHIMS:
            state = 'in place' if shim.name in in_place else 'not needed'
            rows.append((f'shim: {shim.name}', f'{state} ({shim.reason})'))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print_line(f'{name:<{width}}  {value}')
    return int(None in versions.values())


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    # OpenCV with and without windows are two distributions of one package.
    for name in (package, package.removesuffix('-headless')):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None

r"""Vary each number of modules, and list by how much errors of beds change.

Numbers are constants in capitals, and fields of settings. Each is multiplied by 0 and
10, and by .5 and 2 if a bed of ``measure_steps`` notices. A cell is the largest
relative change of a bed's mean error. A person decides what a number is for. Example::

    python -m tools.analysis.audit_numbers mmhot.chain.keypoints.confidence \
        --data-root data/cmu_mocap --beds projected --motions 4
"""

import argparse
import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any

import numpy as np

from mmhot.cli.errors import print_text, run_tool
from tools.analysis import measure_steps

_UNNOTICED = 1e-4  # relative change of an error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('modules', nargs='+', help='such as mmhot.chain.poses.bones')
    measure_steps.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Print a line for each number."""
    names = tuple(args.beds)
    beds = {x: y for x, y in measure_steps.make_beds(args) if x.startswith(names)}
    usual = measure(beds)
    for module in args.modules:
        for owner, title, key in find_numbers(module):
            value = owner[key]
            found: dict[float, str] = {}
            for factor in (0, 10, 0.5, 2):
                if factor in (0, 10) or any(found.values()):
                    owner[key] = type(value)(factor * value)
                    found[factor] = describe(usual, measure(beds))
            owner[key] = value
            cells = [f'x {x:g}: {text or "same"}' for x, text in found.items()]
            print_text('  '.join([f'{title} = {value:g}', *cells]))


def find_numbers(name: str) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield the variables, title and key of each number of a module."""
    module = import_module(name)
    owners = {name: vars(module)}
    for kind in [x for x in vars(module).values() if isinstance(x, type)]:
        if kind.__module__ == name and is_dataclass(kind):
            made = [x for x in gc.get_objects() if type(x) is kind]
            owners |= {
                f'{name}.{kind.__name__} {n}': vars(x) for n, x in enumerate(made)
            }
            # Keyword-only fields of objects that are made later
            owners[f'{name}.{kind.__name__}'] = kind.__init__.__kwdefaults__ or {}
    for title, owner in owners.items():
        for key, value in [*owner.items()]:
            if type(value) in (int, float) and (key.isupper() or title != name):
                yield owner, f'{title}.{key}', key


def measure(beds: Mapping[str, Mapping[str, Callable]]) -> dict[str, float]:
    """Return the mean errors of each bed; infinite if a clip fails."""
    means = {}
    for bed, clips in beds.items():
        try:
            errors = [run('') for run in clips.values()]
        except (ValueError, ArithmeticError, LookupError, TypeError, RuntimeError):
            errors = [{'fails': np.inf}]
        for error in errors[0] if errors else ():
            means[f'{bed} {error}'] = float(np.mean([x[error] for x in errors]))
    return means


def describe(usual: Mapping[str, float], changed: Mapping[str, float]) -> str:
    """Describe the largest relative change of errors, or return ''."""
    rises = {x: changed[x] - usual.get(x, 0) for x in changed}
    changes = {x: rise / (usual.get(x) or 1) for x, rise in rises.items()}
    largest = max(changes, key=lambda x: abs(changes[x]))
    is_noticed = abs(changes[largest]) > _UNNOTICED
    return f'{changes[largest]:+.1%} {largest}' if is_noticed else ''


if __name__ == '__main__':
    run_tool(add_arguments, main)

"""Check the installed packages: versions, imports, and commands to repair them.

Packages are compared with the requirements of mmhot and, if PyTorch or a package of
OpenMMLab is installed, with those of its extra `mmpose`; requirements/lock.txt has the
tested versions. They are imported in another process, for two seconds unless --full is
given. The exit code is 1 if a needed package is missing or broken.

Example:
  mmhot doctor --json --out doctor.json
"""

import argparse

from mmhot.cli.report import add_report_arguments, align, report
from mmhot.installation import check_device

_QUICK = 2.2
_FULL = 120.0
_INSTALLATIONS = {
    'runtime': "ONNX Runtime alone, for shipped and exported models; 'mmhot[mmpose]' "
    'adds training and other models',
    'mmpose': 'with PyTorch and MMPose',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        '--full', action='store_true', help='wait until all packages are imported'
    )
    add_report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the statuses; the exit code is 1 if a needed package does not work."""
    try:
        from mmhot.installation.checks import examine

        statuses, devices = examine(_FULL if args.full else _QUICK)
    except ModuleNotFoundError as error:  # packaging, or the metadata of mmhot
        name = '.' if error.name == 'mmhot' else error.name
        raise ValueError(f'{error.name} is needed: pip install {name}') from error
    if args.device is not None:
        check_device(args.device, [device.partition(' ')[0] for device in devices])
    content = _as_json(statuses, devices)
    report(args, content, lambda: _tables(statuses, content, args.quiet))
    return int(not content['ok'])


def _tables(statuses, content: dict, quiet: bool):
    """Yield tables for the terminal; with ``quiet`` only failures and commands."""
    shown = [x for x in statuses if x.fails or not quiet]
    if shown:
        head = ('package', 'found', 'allowed', 'tested', 'verdict', '')
        rows = [
            (x.name, x.found or '-', x.allowed or 'any', x.tested or 'any')
            + (x.verdict, x.note)
            for x in shown
        ]
        yield align([head, *rows], left=6)
    if not quiet:
        rows = [tuple(shim.values()) for shim in content['shims']]
        yield '\n' + align([('shim', 'state', ''), *rows], left=3)
        yield f'\ninstallation: {_INSTALLATIONS[content["installation"]]}'
        yield f'device: {content["devices"][-1]}'
        skipped = [x for x in statuses if x.needed and x.found and x.imported is None]
        if names := [x.name for x in skipped if x.name != 'python']:
            yield f'not imported within {_QUICK:g} s: {", ".join(names)} (see --full)'
    if content['commands']:
        yield '\nTo repair it, run these in order, then `mmhot doctor` again:'
        yield from (f'  {command}' for command in content['commands'])


def _as_json(statuses, devices: list[str]) -> dict:
    from mmhot import compat
    from mmhot.installation.checks import has_extra, repair_commands

    states = compat.states()
    return {
        'ok': not any(status.fails for status in statuses),
        'packages': [
            {
                'name': x.name,
                'found': x.found or None,
                'allowed': x.allowed or None,
                'tested': x.tested or None,
                'verdict': x.verdict,
                'needed': x.needed,
                'imported': x.imported,
                'note': x.note,
                'command': ' && '.join(repair_commands([x])) or None,
            }
            for x in statuses
        ],
        'shims': [
            {'name': x.name, 'state': states[x.name], 'reason': x.reason}
            for x in compat.SHIMS
        ],
        'devices': devices,
        'installation': 'mmpose' if has_extra() else 'runtime',
        'commands': repair_commands(x for x in statuses if x.fails),
    }

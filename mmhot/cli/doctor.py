"""Check the installed packages: versions, imports, and commands to repair them.

Installed packages are compared with mmhot's requirements and imported in another
process. If PyTorch or a package of OpenMMLab is installed, the requirements of the
extra `mmpose` count, too. The exit code is 1 if a needed package is missing or broken.

Example:
  mmhot doctor --json > doctor.json
"""

import argparse
from dataclasses import asdict

from mmhot.cli.report import report
from mmhot.compat.installation import check_device
from mmhot.errors import align, pip

_INSTALLATIONS = {
    'runtime': 'ONNX Runtime alone, for shipped and exported models; the extra mmpose '
    'adds training and other models',
    'mmpose': 'with PyTorch and MMPose',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--json', action='store_true', help='print JSON, no tables')


def run(args: argparse.Namespace) -> int:
    """Print the statuses; the exit code is 1 if a needed package does not work."""
    try:
        from mmhot import compat
        from mmhot.compat.doctor import examine, has_extra, repair_commands

        statuses, devices = examine()
    except ModuleNotFoundError as error:  # packaging, or the metadata of mmhot
        name = '.' if error.name == 'mmhot' else str(error.name)
        raise ValueError(f'{error.name} is needed: {pip("install", name)}') from error
    if args.device is not None:
        check_device(args.device, [device.partition(' ')[0] for device in devices])
    states = compat.states()
    content = {
        'ok': not any(status.fails for status in statuses),
        'packages': [asdict(status) for status in statuses],
        'shims': [
            {'name': x.name, 'state': states[x.name], 'reason': x.reason}
            for x in compat.SHIMS
        ],
        'devices': devices,
        'installation': 'mmpose' if has_extra() else 'runtime',
        'commands': repair_commands(statuses),
    }
    report(args, content, lambda: _tables(statuses, content, args.quiet))
    return int(not content['ok'])


def _tables(statuses, content: dict, quiet: bool):
    """Yield tables for the terminal; ``quiet`` leaves only failures and commands."""
    shown = [x for x in statuses if x.fails or not quiet]
    if shown:
        rows = [
            (x.name, x.found or '-', x.allowed or 'any', x.verdict, x.note)
            for x in shown
        ]
        yield align([('package', 'found', 'allowed', 'verdict', ''), *rows], left=5)
    if not quiet:
        rows = [tuple(shim.values()) for shim in content['shims']]
        yield '\n' + align([('shim', 'state', ''), *rows], left=3)
        yield f'\ninstallation: {_INSTALLATIONS[content["installation"]]}'
        yield f'device: {content["devices"][-1]}'
    if content['commands']:
        yield '\nTo repair it, run these in order, then `mmhot doctor` again:'
        yield from (f'  {command}' for command in content['commands'])

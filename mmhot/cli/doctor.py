"""Say what is installed here, whether it works, and what mends it.

The versions that the tests ran with are those of requirements/. Every package that is
needed is also imported, in processes of their own, as far as that goes in two seconds:
`--full` waits for the last. The exit code is 1 if something that mmhot needs is
missing or broken.

Example:
  mmhot doctor --json --out doctor.json
"""

import argparse

from mmhot.cli.report import add_report_arguments, report

_QUICK = 2.2
_FULL = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        '--full', action='store_true', help='wait until every package was imported'
    )
    add_report_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print what was found; the exit code is 1 if something needed does not work."""
    from mmhot.installation import examine, mending_commands

    findings, devices = examine(_FULL if args.full else _QUICK)
    if args.device is not None:
        _check_device(args.device, devices)
    commands = mending_commands(findings)
    content = _as_json(findings, devices, commands)
    report(args, content, lambda: _tables(findings, devices, commands, args.quiet))
    return int(any(finding.fails for finding in findings))


def _check_device(name: str, devices: list[str]) -> None:
    known = [device.partition(' ')[0] for device in devices]
    if name not in known and not (name == 'cuda' and len(known) > 1):
        raise ValueError(
            f'--device: there is no device {name!r} here, only {", ".join(known)}'
        )


def _tables(findings, devices: list[str], commands: list[str], quiet: bool):
    """Yield what people read; only what is wrong if they want it quiet."""
    from mmhot import compat
    from mmhot.cli.table import align

    shown = [x for x in findings if x.fails or not quiet]
    if shown:
        rows = [(x.name, x.found or '-', x.tested, x.verdict, x.note) for x in shown]
        yield align([('package', 'found', 'tested', 'verdict', ''), *rows], left=5)
    if not quiet:
        states = compat.states()
        rows = [(x.name, states[x.name], x.reason) for x in compat.SHIMS]
        yield '\n' + align([('shim', 'state', ''), *rows], left=3)
        yield f'\ndevice: {devices[-1]}'
        waiting = [x.name for x in findings if x.is_unproven]
        if waiting:
            more = f' and {len(waiting) - 6} more' if len(waiting) > 6 else ''
            names = ', '.join(waiting[:6]) + more
            yield f'not imported for lack of time: {names} (see --full)'
    if commands:
        yield '\nTo mend it, in this order, and then look again with `mmhot doctor`:'
        yield from (f'  {command}' for command in commands)


def _as_json(findings, devices: list[str], commands: list[str]) -> dict:
    """What programs read."""
    from mmhot import compat
    from mmhot.installation.mending import mending_command

    states = compat.states()
    return {
        'ok': not any(finding.fails for finding in findings),
        'packages': [
            {
                'name': x.name,
                'found': x.found or None,
                'tested': x.tested,
                'verdict': x.verdict,
                'needed': x.needed,
                'imported': x.imported,
                'note': x.note,
                'command': mending_command(x) or None,
            }
            for x in findings
        ],
        'shims': [
            {'name': x.name, 'state': states[x.name], 'reason': x.reason}
            for x in compat.SHIMS
        ],
        'devices': devices,
        'commands': commands,
    }

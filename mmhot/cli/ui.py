"""Serve a web page that lifts uploaded videos to 3D.

Example:
  mmhot ui
  mmhot ui --browser
  mmhot ui --browser --out public/mmhot

The page runs `mmhot infer` on this machine, without a network. Results are deleted when
the page is closed: download them before. Needs Gradio.

With --browser the models run in the visitor's browser, on its CPU or GPU, on a video or
the camera; nothing is uploaded. --out writes the page as static files.
"""

import argparse
import os
import signal
import tempfile
import threading
import webbrowser
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from mmhot.installation import choose_device, import_extra

_PORTS = 7860, 7960


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        metavar='ADDRESS',
        help='where to listen (default: 127.0.0.1, for this machine only; 0.0.0.0: for '
        'the whole network)',
    )
    parser.add_argument(
        '--port', type=int, help='port to listen at (default: the first free from 7860)'
    )
    for option, what in (
        ('--pose2d', '2D model'),
        ('--det-model', 'detector'),
        ('--pose3d', 'lifter'),
    ):
        parser.add_argument(
            option,
            action='append',
            default=[],
            metavar='MODEL',
            help=f'add a {what} to the choices, as for `mmhot infer`; may be repeated',
        )
    parser.add_argument(
        '--max-upload',
        type=int,
        default=1000,
        metavar='MB',
        help='largest file that may be uploaded (default: 1000 megabytes)',
    )
    parser.add_argument('--open', action='store_true', help='open it in the browser')
    parser.add_argument(
        '--browser',
        action='store_true',
        help='serve the page whose models run in the browser; models are names of '
        'shipped weights or folders of `mmhot export`',
    )
    parser.add_argument(
        '--out',
        type=Path,
        metavar='DIR',
        help='with --browser: write the page to a folder instead of serving it',
    )
    parser.add_argument(
        '--ort',
        type=Path,
        metavar='DIR',
        help='with --browser: folder dist of the npm package onnxruntime-web (default: '
        'its files are downloaded once)',
    )


def run(args: argparse.Namespace) -> None:
    """Serve until interrupted."""
    if not args.browser and (args.out or args.ort):
        raise ValueError('out and ort belong to the page of `browser`')
    if args.port is not None and not 1 <= args.port <= 65535:
        raise ValueError(f'port must be from 1 to 65535, got {args.port}')
    if args.browser:
        _run_in_browser(args)
        return
    if args.max_upload < 1:
        raise ValueError(
            f'max_upload must be at least 1 megabyte, got {args.max_upload}'
        )
    if args.device is not None:
        choose_device(args.device)
    with tempfile.TemporaryDirectory(prefix='mmhot-ui-') as folder:
        # Gradio reads them when it is imported
        os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
        os.environ['GRADIO_TEMP_DIR'] = folder
        # seconds until it is noticed that a page was closed
        os.environ.setdefault('GRADIO_HEARTBEAT_INTERVAL', '5')
        import_extra('gradio', 'mmhot ui', 'ui')
        _serve(args, Path(folder))


def _run_in_browser(args: argparse.Namespace) -> None:
    """Write the page whose models run in the browser, and serve it unless `out`."""
    from mmhot.ui.browser_page import MODELS, open_server, write_page

    given = dict(detector=args.det_model, pose2d=args.pose2d, lifter=args.pose3d)
    models = {**MODELS, **{kind: names[-1] for kind, names in given.items() if names}}
    if args.out is not None:
        write_page(args.out, models, args.ort, args.say)
        args.say(f'{args.out}: copy it to a web server, see docs/browser.md')
        return
    ports = range(*_PORTS) if args.port is None else range(args.port, args.port + 1)
    with tempfile.TemporaryDirectory(prefix='mmhot-ui-') as folder:
        write_page(Path(folder), models, args.ort, args.say)
        with open_server(Path(folder), args.host, ports) as server:
            address = f'http://{args.host}:{server.server_address[1]}/'
            args.say(f'{address} until Ctrl-C')
            if args.open:
                webbrowser.open(address)
            server.serve_forever()


def _serve(args: argparse.Namespace, folder: Path) -> None:
    import gradio

    from mmhot.ui.model_choices import find_choices
    from mmhot.ui.page import STYLE, Page
    from mmhot.ui.sessions import Sessions

    choices = find_choices(args.pose2d, args.det_model, args.pose3d)
    sessions = Sessions(folder)
    page = Page(choices, sessions, args.device)
    # system fonts: others would be downloaded
    fonts = dict(
        font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace']
    )
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    try:
        _, address, _ = page.blocks.launch(
            server_name=args.host,
            server_port=args.port,
            inbrowser=args.open,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            max_file_size=args.max_upload * 1_000_000,
            ssr_mode=False,
            footer_links=[],
            theme=gradio.themes.Soft(**fonts),
            css=STYLE,
        )
        threading.Thread(target=_load_packages, daemon=True).start()
        if choices.note:
            args.say(choices.note)
        args.say(f'{address} until Ctrl-C; results are deleted then')
        while not stopped.wait(60):
            sessions.sweep()
    finally:
        page.blocks.close(verbose=False)
        sessions.close_all()
        signal.signal(signal.SIGTERM, before)


def _load_packages() -> None:
    """Import in advance the packages of the first run."""
    with suppress(ImportError):  # the run reports it
        import_module('mmhot.apis.clip_worker')

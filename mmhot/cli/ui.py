"""Serve a web page that lifts uploaded videos to 3D.

Example:
  mmhot ui
  mmhot ui --browser
  mmhot ui --browser --out public/mmhot

The page runs `mmhot infer` on this machine, without a network. Results are deleted when
the page is closed: download them before. Needs Gradio (pip install 'mmhot[ui]').

With --browser, or without Gradio, the models run in the visitor's browser, on its CPU
or GPU, on a video or the camera; nothing is uploaded. --out writes the page as static
files.
"""

import argparse
import os
import signal
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from mmhot.apis.command_options import PageOptions
from mmhot.cli.options import add_options, read_options
from mmhot.compat.installation import choose_device, import_extra

_PORTS = 7860, 7960
_NO_GRADIO = (
    'Gradio is not installed: this is the page of --browser, whose models run in the '
    "browser; pip install 'mmhot[ui]' for the page that runs mmhot infer"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_options(parser, PageOptions)


def run(args: argparse.Namespace) -> None:
    """Serve until interrupted."""
    options = read_options(args, PageOptions)
    if not options.browser and find_spec('gradio') is None:
        args.say(_NO_GRADIO)
        options = replace(options, browser=True)
    if options.browser:
        _run_in_browser(options, args.say)
        return
    if args.device is not None:
        choose_device(args.device)
    with tempfile.TemporaryDirectory(prefix='mmhot-ui-') as folder:
        # Gradio reads them when it is imported
        os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
        os.environ['GRADIO_TEMP_DIR'] = folder
        # seconds until it is noticed that a page was closed
        os.environ.setdefault('GRADIO_HEARTBEAT_INTERVAL', '5')
        import_extra('gradio', 'mmhot ui', 'ui')
        _serve(options, Path(folder), args.say)


def _run_in_browser(options: PageOptions, say: Callable[[str], None]) -> None:
    """Write the page whose models run in the browser, and serve it unless `out`."""
    from mmhot.ui.browser_page import MODELS, open_server, write_page

    given = dict(
        detector=options.det_model, pose2d=options.pose2d, lifter=options.pose3d
    )
    models = {**MODELS, **{kind: names[-1] for kind, names in given.items() if names}}
    if options.out is not None:
        write_page(options.out, models, options.ort, say)
        say(f'{options.out}: copy it to a web server, see docs/browser.md')
        return
    first, end = _PORTS if options.port is None else (options.port, options.port + 1)
    with tempfile.TemporaryDirectory(prefix='mmhot-ui-') as folder:
        write_page(Path(folder), models, options.ort, say)
        with open_server(Path(folder), options.host, range(first, end)) as server:
            address = f'http://{options.host}:{server.server_address[1]}/'
            say(f'{address} until Ctrl-C')
            if options.open:
                webbrowser.open(address)
            server.serve_forever()


def _serve(options: PageOptions, folder: Path, say: Callable[[str], None]) -> None:
    import gradio

    from mmhot.ui.model_choices import find_choices
    from mmhot.ui.page import STYLE, Page
    from mmhot.ui.sessions import Sessions

    choices = find_choices(options.pose2d, options.det_model, options.pose3d)
    sessions = Sessions(folder)
    page = Page(choices, sessions, options.device)
    # system fonts: others would be downloaded
    fonts = dict(
        font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace']
    )
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    try:
        _, address, _ = page.blocks.launch(
            server_name=options.host,
            server_port=options.port,
            inbrowser=options.open,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            max_file_size=options.max_upload * 1_000_000,
            ssr_mode=False,
            footer_links=[],
            theme=gradio.themes.Soft(**fonts),
            css=STYLE,
        )
        threading.Thread(target=_load_packages, daemon=True).start()
        if choices.note:
            say(choices.note)
        say(f'{address} until Ctrl-C; results are deleted then')
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

"""Serve a web page that lifts uploaded videos to 3D.

Example:
  mmhot ui
  mmhot ui --host 0.0.0.0 --port 8000

The page runs `mmhot infer` on this machine, without a network. Uploads and results are
deleted when the page is closed: download them first. Needs Gradio, the extra `ui`.
"""

import argparse
import os
import tempfile
import threading
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from mmhot.cli.options import add_options
from mmhot.cli.signals import handling
from mmhot.compat.installation import choose_device
from mmhot.errors import import_extra
from mmhot.options import DeviceOptions, Option


@dataclass(frozen=True, kw_only=True)
class PageOptions(DeviceOptions):
    """Options of ``mmhot ui``."""

    host: Annotated[
        str,
        'where to listen (default: 127.0.0.1, for this machine only; 0.0.0.0: for the '
        'whole network)',
        Option(metavar='ADDRESS'),
    ] = '127.0.0.1'
    port: Annotated[
        int | None,
        'port to listen at (default: the first free from 7860)',
        Option(low=1, high=65535),
    ] = None
    pose2d: Annotated[
        str | None, '2D model, as for `mmhot infer`', Option(metavar='MODEL')
    ] = None
    det_model: Annotated[
        str | None, 'detector, as for `mmhot infer`', Option(metavar='MODEL')
    ] = None
    pose3d: Annotated[
        str | None, 'lifter, as for `mmhot infer`', Option(metavar='MODEL')
    ] = None
    open: Annotated[bool, 'open it in the browser'] = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_options(parser, PageOptions)


def _theme(gradio: Any) -> Any:
    """Return colors with contrasts of at least 4.5, and fonts of the system.

    Other fonts would be downloaded.
    """
    fonts = dict(
        font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace']
    )
    return gradio.themes.Soft(**fonts).set(
        block_label_text_color='*primary_700',
        block_title_text_color='*primary_700',
        body_text_color_subdued='*neutral_600',
        button_primary_background_fill='*primary_600',
        checkbox_label_background_fill_selected='*primary_600',
    )


def run(args: argparse.Namespace) -> None:
    """Serve until interrupted."""
    options = args.values.of(PageOptions)
    if args.device is not None:
        choose_device(args.device)
    if find_spec('gradio') is not None:  # loading Gradio takes seconds
        args.say('the page opens in a few seconds')
    with tempfile.TemporaryDirectory(prefix='mmhot-ui-') as folder:
        # Gradio reads these variables when it is imported.
        os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
        os.environ['GRADIO_TEMP_DIR'] = folder
        # A closed page is noticed after this many seconds.
        os.environ.setdefault('GRADIO_HEARTBEAT_INTERVAL', '5')
        gradio = import_extra('gradio', 'mmhot ui', 'ui')
        from mmhot.ui.origins import only_own
        from mmhot.ui.page import CSS, MAX_UPLOAD, Page

        names = ('device', 'pose2d', 'det_model', 'pose3d')
        models = {x: value for x in names if (value := getattr(options, x))}
        page = Page(Path(folder), models)
        stopped = threading.Event()
        with handling(lambda number, frame: stopped.set(), 'SIGTERM'), closing(page):
            _, address, _ = page.blocks.launch(
                server_name=options.host,
                server_port=options.port,  # None: the first free one from 7860
                inbrowser=options.open,
                prevent_thread_lock=True,
                quiet=True,
                share=False,
                max_file_size=MAX_UPLOAD,
                ssr_mode=False,
                footer_links=[],
                app_kwargs={'middleware': only_own(options.host)},
                css=CSS,
                theme=_theme(gradio),
            )
            args.say(f'{address} is ready, until Ctrl-C; results are deleted then')
            stopped.wait()

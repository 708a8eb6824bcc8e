"""The page itself: what is asked, how far it is, the poses, the files."""

import html
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from mmhot.apis.export import FORMATS
from mmhot.cli.infer import SMOOTHING
from mmhot.ui.lifting_run import LiftingRun, shown_command
from mmhot.ui.model_choices import AUTOMATIC, Offers
from mmhot.ui.progress_table import describe, describe_error

_FILES = ['video', 'image', '.npz', '.json']
# Lists of inputs could name any file of the machine.
_REFUSED = {'.txt'}
_AXES = ('camera', 'z-up', 'world')
_EMPTY = '<div class="empty">Drop a video and press Lift: its people appear here.</div>'
STYLE = (Path(__file__).parent / 'page.css').read_text(encoding='utf-8')


@dataclass
class _Session:
    """What belongs to one open page."""

    run: LiftingRun | None = None
    folder: Path | None = None

    def forget(self) -> None:
        """Stop what runs, and delete its results."""
        if self.run is not None:
            self.run.stop()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.run = self.folder = None


class Page:
    """Builds the page.

    Args:
        offers (Offers): Models that can be chosen.
        folder (Path): For results, a folder of each run.
        device (str, optional): PyTorch device; by default the GPU if there is one.
    """

    def __init__(self, offers: Offers, folder: Path, device: str | None = None) -> None:
        self._offers, self._folder, self._device = offers, folder, device
        self._sessions: dict[str, _Session] = {}
        self.blocks = self._build()

    def _build(self) -> gr.Blocks:
        settings = dict(analytics_enabled=False, delete_cache=(600, 24 * 3600))
        with gr.Blocks(title='mmhot', **settings) as blocks:
            gr.Markdown('# mmhot\nThe people of a video in 3D, on this machine.')
            with gr.Row():
                with gr.Column(scale=1, min_width=300):
                    self._source = gr.File(
                        label='Video, picture or 2D keypoints', file_types=_FILES
                    )
                    with gr.Row():
                        self._lift = gr.Button('Lift', variant='primary')
                        self._stop = gr.Button('Stop', interactive=False)
                    self._fields = {
                        **self._ask_models(),
                        **_ask_camera(),
                        **_ask_results(),
                    }
                with gr.Column(scale=2, min_width=320):
                    self._viewer = gr.HTML(_EMPTY, elem_id='viewer')
                    self._files = gr.File(
                        label='Results',
                        elem_id='results',
                        file_count='multiple',
                        interactive=False,
                        visible=False,
                    )
                    self._progress = gr.HTML(
                        describe_error(self._offers.note), elem_id='progress'
                    )
            self._connect(blocks)
        return blocks

    def _ask_models(self) -> dict[str, gr.components.Component]:
        with gr.Accordion('Models', open=False):
            return {
                name: gr.Dropdown(
                    [(Path(choice).name, choice) for choice in choices],
                    value=choices[0],
                    label=label,
                )
                for name, label, choices in (
                    ('pose2d', '2D keypoints', self._offers.pose2d),
                    ('det_model', 'Detector of people', self._offers.det_model),
                    ('pose3d', 'Lifter', self._offers.pose3d),
                )
            }

    def _connect(self, blocks: gr.Blocks) -> None:
        self._lift.click(
            self._run,
            {self._source, *self._fields.values()},
            [self._lift, self._stop, self._viewer, self._progress, self._files],
            show_progress='hidden',
            concurrency_limit=1,
            api_visibility='private',
        )
        self._stop.click(self._end, None, None, queue=False, api_visibility='private')
        blocks.unload(self._leave)

    def _run(self, given: dict, request: gr.Request) -> Iterator[dict]:
        """Lift what was dropped; yields what changes in the page."""
        session = self._sessions.setdefault(request.session_hash, _Session())
        session.forget()
        source = given[self._source]
        options = {name: given[field] for name, field in self._fields.items()}
        problem = _objection(source)
        if problem:
            yield {self._progress: describe_error(problem)}
            return
        options = _as_arguments(options, self._device)
        session.folder = Path(tempfile.mkdtemp(prefix='run-', dir=self._folder))
        session.run = run = LiftingRun(Path(source), session.folder, options)
        command = shown_command(Path(source).name, options)
        yield {
            self._lift: gr.update(interactive=False),
            self._stop: gr.update(interactive=True),
            self._viewer: _EMPTY,
            self._files: gr.update(value=None, visible=False),
        }
        for progress in run:
            yield {self._progress: describe(progress, command)}
        files = [str(path) for path in progress.files]
        yield {
            self._lift: gr.update(interactive=True),
            self._stop: gr.update(interactive=False),
            self._viewer: _frame(progress.files),
            self._files: gr.update(value=files or None, visible=bool(files)),
        }

    def _end(self, request: gr.Request) -> None:
        session = self._sessions.get(request.session_hash)
        if session is not None and session.run is not None:
            session.run.stop()

    def _leave(self, request: gr.Request) -> None:
        session = self._sessions.pop(request.session_hash, None)
        if session is not None:
            session.forget()


def _ask_camera() -> dict[str, gr.components.Component]:
    with gr.Accordion('Camera and scale', open=False):
        return {
            # not gr.Number, in which nothing becomes 0
            'fov': gr.Textbox(
                label="Lens's angle of view, degrees",
                info='From the left to the right edge; empty: assume 47.',
            ),
            'intrinsics': gr.File(
                label='Calibration, in place of the angle',
                file_types=['.json', '.yml', '.yaml', '.npz'],
                height=110,
            ),
            'height': gr.Textbox(
                label="People's height, meters", info="Empty: the model's guess."
            ),
            'static_camera': gr.Checkbox(
                False, label='The camera stood still: find the floor'
            ),
        }


def _ask_results() -> dict[str, gr.components.Component]:
    with gr.Accordion('Keypoints and results', open=False):
        return {
            'kpt_thr': gr.Slider(
                0, 1, 0.2, step=0.05, label='Least confidence of keypoints'
            ),
            'det_every': gr.Number(
                None,
                label='Look for people in every Nth frame (empty: as usual)',
                precision=0,
                minimum=1,
            ),
            'smooth_2d': gr.Dropdown(SMOOTHING, value='none', label='Smooth keypoints'),
            'smooth_3d': gr.Dropdown(SMOOTHING, value='none', label='Smooth poses'),
            'axes': gr.Dropdown(_AXES, value='camera', label='Axes'),
            'formats': gr.CheckboxGroup(
                _formats(), value=['npz', 'html'], label='Files'
            ),
        }


def _formats() -> list[str]:
    """Formats that can be written here."""
    can_record = importlib.util.find_spec('rerun') is not None
    return [name for name in FORMATS if name != 'rrd' or can_record]


def _objection(source: str | None) -> str:
    """What is wrong with a dropped file, if anybody can tell by its name."""
    if source is None:
        return 'Drop a video first, a picture, or a file of 2D keypoints.'
    if Path(source).suffix.lower() in _REFUSED:
        return f'{Path(source).name} is neither a video nor a picture nor 2D keypoints'
    return ''


def _as_arguments(options: dict[str, Any], device: str | None) -> dict[str, Any]:
    """Options of ``mmhot infer``; what is left automatic is left out."""
    # the page shows the poses in any case
    formats = dict.fromkeys([*(options['formats'] or []), 'html'])
    given = {name: v for name, v in options.items() if v not in (AUTOMATIC, 'none')}
    return {**given, 'formats': list(formats), 'device': device}


def _frame(files: list[Path]) -> str:
    """The viewer, shut off from the rest of the page."""
    page = next((path for path in files if path.suffix == '.html'), None)
    if page is None:
        return _EMPTY
    text = html.escape(page.read_text(encoding='utf-8'), quote=True)
    title = html.escape(page.stem, quote=True)
    return f'<iframe title="{title}" sandbox="allow-scripts" srcdoc="{text}"></iframe>'

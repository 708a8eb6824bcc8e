"""The page: input, options, progress, 3D view and files."""

import html
import importlib.util
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import gradio as gr

from mmhot.apis.option_fields import kind_of
from mmhot.apis.options import InferRunOptions
from mmhot.io.writers.table import WRITERS
from mmhot.ui.lifting_run import describe_error, describe_progress, shown_command
from mmhot.ui.model_choices import AUTOMATIC, ModelChoices
from mmhot.ui.sessions import Sessions

_OPTIONS = {each.name: each for each in fields(InferRunOptions)}
_FILES = ['video', 'image', '.npz', '.json']
# Lists of inputs could name any file of the machine.
_REFUSED = {'.txt'}
_GONE = 'The connection was lost, and the files were deleted: reload the page.'
_EMPTY = '<div class="empty">Drop a video and press Lift: its people appear here.</div>'
# Label and explanation of each field, by section.
_LABELS = {
    'Camera and scale': {
        'fov': ('Horizontal angle of view, degrees', 'Empty: found from a pan, or 47.'),
        'intrinsics': ('Calibration file, in place of the angle',),
        'height': ('Body height, meters', 'Empty: estimated by the model.'),
        'camera': ('Camera on a tripod: does it pan, tilt or zoom?',),
        'foot_lock': ('Keep standing feet in place',),
    },
    'Keypoints and results': {
        'kpt_thr': ('Minimum keypoint confidence, 0 to 1', 'Empty: 0.2.'),
        'det_every': ('Detect in every Nth frame', 'Empty: automatic.'),
        'target_fps': ('Frames per second to reach', 'Empty: most accurate.'),
        'fps': ('Frames per second of keypoints', 'Empty: as the file states.'),
        'smooth_3d': ('Smooth poses',),
        'swap_repair': ('Undo swaps of left and right',),
        'reidentify': ('Recognize people who return',),
        'html_frames': ('Show the frames of the video in the 3D page',),
        'bvh_profile': ('Profile of .bvh',),
        'axes': ('Axes',),
        'joints': ('Joints', '24: with toes, heels, hands and nose.'),
        'formats': ('Files',),
    },
}
STYLE = (Path(__file__).parent / 'page.css').read_text(encoding='utf-8')


class Page:
    """Builds the page.

    Args:
        choices (ModelChoices): Models to choose from.
        sessions (Sessions): Keeps the files of the visitors.
        device (str, optional): PyTorch device; by default the GPU if there is one.
    """

    def __init__(
        self, choices: ModelChoices, sessions: Sessions, device: str | None = None
    ) -> None:
        self._choices, self._sessions, self._device = choices, sessions, device
        self.blocks = self._build()

    def _build(self) -> gr.Blocks:
        with gr.Blocks(title='mmhot', analytics_enabled=False) as blocks:
            gr.Markdown('# mmhot\nThe people of a video in 3D, on this machine.')
            with gr.Row():
                with gr.Column(scale=1, min_width=300):
                    self._source = gr.File(
                        label='Video, image or 2D keypoints', file_types=_FILES
                    )
                    with gr.Row():
                        self._lift = gr.Button('Lift', variant='primary')
                        self._stop = gr.Button('Stop', interactive=False)
                    self._fields = {
                        **self._model_fields(),
                        **_option_fields(),
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
                        describe_error(self._choices.note), elem_id='progress'
                    )
            self._connect(blocks)
        return blocks

    def _model_fields(self) -> dict[str, gr.components.Component]:
        with gr.Accordion('Models', open=False):
            return {
                name: gr.Dropdown(
                    [(Path(choice).name, choice) for choice in choices],
                    value=choices[0],
                    label=label,
                )
                for name, label, choices in (
                    ('pose2d', '2D keypoints', self._choices.pose2d),
                    ('det_model', 'Person detector', self._choices.det_model),
                    ('pose3d', 'Lifter', self._choices.pose3d),
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
        uploads = [self._source, self._fields['intrinsics']]
        quiet = dict(queue=False, show_progress='hidden', api_visibility='private')
        gr.on([each.change for each in uploads], self._hold, uploads, None, **quiet)
        self._stop.click(self._end, None, None, **quiet)
        blocks.unload(self._leave)

    def _run(self, given: dict, request: gr.Request) -> Iterator[dict]:
        """Lift the uploaded file; yields updates of the page."""
        source = given[self._source]
        error = _check_file(source)
        if error:
            yield {self._progress: describe_error(error)}
            return
        options = {name: given[field] for name, field in self._fields.items()}
        options = _as_options(options, self._device)
        run = self._sessions.start(request.session_hash, Path(source), options)
        if run is None:
            yield {self._progress: describe_error(_GONE)}
            return
        command = shown_command(Path(source).name, options)
        yield {
            self._lift: gr.update(interactive=False),
            self._stop: gr.update(interactive=True),
            self._viewer: _EMPTY,
            self._files: gr.update(value=None, visible=False),
        }
        for progress in run:
            yield {self._progress: describe_progress(progress, command)}
        files = [str(path) for path in progress.files]
        yield {
            self._lift: gr.update(interactive=True),
            self._stop: gr.update(interactive=False),
            self._viewer: _frame(progress.files),
            self._files: gr.update(value=files or None, visible=bool(files)),
        }

    def _hold(
        self, source: str | None, intrinsics: str | None, request: gr.Request
    ) -> None:
        self._sessions.hold(request.session_hash, [source, intrinsics])

    def _end(self, request: gr.Request) -> None:
        self._sessions.stop(request.session_hash)

    def _leave(self, request: gr.Request) -> None:
        self._sessions.close(request.session_hash)


def _option_fields() -> dict[str, gr.components.Component]:
    """Create the fields of cameras, keypoints and results, in two sections."""
    made = {}
    for title, labels in _LABELS.items():
        with gr.Accordion(title, open=False):
            for name, texts in labels.items():
                made[name] = _field(name, *texts)
    return made


def _field(name: str, label: str, info: str = '') -> gr.components.Component:
    """Create the field of an option of ``mmhot infer``, with its default."""
    option = _OPTIONS[name]
    if name == 'intrinsics':
        types = ['.json', '.yml', '.yaml', '.npz']
        return gr.File(label=label, file_types=types, height=110)
    if name == 'formats':
        return gr.CheckboxGroup(_formats(), value=['npz', 'html'], label=label)
    choices = option.metadata['argument'].choices
    if choices:
        none = [] if option.default else [('not given', AUTOMATIC)]
        value = option.default or AUTOMATIC
        return gr.Dropdown([*none, *choices], value=value, label=label, info=info)
    if kind_of(option) is bool:
        return gr.Checkbox(option.default, label=label, info=info)
    # an empty gr.Number would become 0 or fail
    return gr.Textbox(label=label, info=info)


def _formats() -> list[str]:
    """List the formats whose packages are installed."""
    find = importlib.util.find_spec
    return [
        name
        for name, writer in WRITERS.items()
        if writer.requires is None or find(writer.requires[0]) is not None
    ]


def _check_file(source: str | None) -> str:
    """Explain what is wrong with an uploaded file, as far as its name shows it."""
    if source is None:
        return 'Drop a video first, an image, or a file of 2D keypoints.'
    if Path(source).suffix.lower() in _REFUSED:
        return f'{Path(source).name} is neither a video nor an image nor 2D keypoints'
    return ''


def _as_options(values: dict[str, Any], device: str | None) -> dict[str, Any]:
    """Convert the fields of the page to options; empty ones are left out."""
    # the page always shows the poses
    formats = dict.fromkeys([*(values['formats'] or []), 'html'])
    values = {k: v.strip() if isinstance(v, str) else v for k, v in values.items()}
    given = {k: v for k, v in values.items() if v not in (AUTOMATIC, '', None, [])}
    return {**given, 'formats': list(formats), 'device': device}


def _frame(files: list[Path]) -> str:
    """Embed the viewer, isolated from the rest of the page."""
    page = next((path for path in files if path.suffix == '.html'), None)
    if page is None:
        return _EMPTY
    text = html.escape(page.read_text(encoding='utf-8'), quote=True)
    title = html.escape(page.stem, quote=True)
    return f'<iframe title="{title}" sandbox="allow-scripts" srcdoc="{text}"></iframe>'

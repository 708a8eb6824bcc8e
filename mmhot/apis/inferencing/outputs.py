"""What an inferencer writes and shows: predictions, pictures, videos, a window."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmhot.apis.inferencing.inputs import Input, Picture
from mmhot.apis.inferencing.options import CallOptions
from mmhot.io.atomic import replacing
from mmhot.video.frames import FrameSource
from mmhot.visualization.video_encoding import open_video

Write = Callable[[list[dict[str, Any]], np.ndarray | None], None]


def check_outputs(inputs: Iterable[Input], options: CallOptions) -> None:
    """Refuse inputs whose results would overwrite each other, or an input.

    Args:
        inputs (Iterable[Input]): Looked at if it is a list.
        options (CallOptions): Where results go.

    Raises:
        ValueError: If they would.
    """
    if not isinstance(inputs, list):
        return
    if Path(options.vis_out_dir).suffix and len(inputs) > 1:
        raise ValueError(
            f'vis_out_dir={options.vis_out_dir!r} is one file, and there are '
            f'{len(inputs)} inputs: name a folder'
        )
    taken: dict[Path, Input] = {}
    for each in inputs:
        targets = _picture_path, _predictions_path
        for target in filter(None, (path(each, options) for path in targets)):
            if target in taken:
                raise ValueError(
                    f'two inputs would be written as {target}: call the inferencer '
                    'for one after the other, with different folders'
                )
            taken[target] = each
            if _is_same(target, each.path):
                raise ValueError(f'{each.path} would be overwritten by its result')


@contextmanager
def film_outputs(film: FrameSource, options: CallOptions) -> Iterator[Write]:
    """Write what is found in a film while it is being found.

    Args:
        film (FrameSource): The film.
        options (CallOptions): Where results go.

    Yields:
        Callable: Takes the instances of the next frame and its picture, BGR (H, W, 3).
    """
    with ExitStack() as opened:
        add = video = None
        predictions = _predictions_path(film, options)
        if predictions:
            add = opened.enter_context(_open_list(_with_folder(predictions)))
        picture_path = _picture_path(film, options)
        if picture_path:
            target = _with_folder(picture_path)
            video = opened.enter_context(open_video(target, film.fps, film.path))

        def write(instances: list[dict[str, Any]], picture: np.ndarray | None) -> None:
            if add:
                add(instances)
            if video and picture is not None:
                video.write(picture)

        yield write


@contextmanager
def _open_list(path: Path) -> Iterator[Callable[[list], None]]:
    """Write ``[{frame_id, instances}, ...]`` frame by frame; nothing piles up."""
    with replacing(path) as temporary, temporary.open('w', encoding='utf-8') as file:
        count = 0

        def add(instances: list) -> None:
            nonlocal count
            entry = {'frame_id': count, 'instances': instances}
            file.write((',\n' if count else '[\n') + _dumps(entry))
            count += 1

        yield add
        file.write('\n]\n' if count else '[]\n')


def write_picture(
    picture: Picture,
    options: CallOptions,
    instances: list[dict[str, Any]],
    drawn: np.ndarray | None,
) -> None:
    """Write what was found in a picture: the list of its people, and the drawing.

    Args:
        picture (Picture): The picture.
        options (CallOptions): Where results go.
        instances (list[dict]): Its people.
        drawn (np.ndarray, optional): BGR, uint8 (H, W, 3).
    """
    predictions = _predictions_path(picture, options)
    if predictions:
        with replacing(_with_folder(predictions)) as temporary:
            temporary.write_text(f'{_dumps(instances)}\n', encoding='utf-8')
    target = _picture_path(picture, options)
    if target and drawn is not None:
        data = _encode(drawn, target)
        with replacing(_with_folder(target)) as temporary:
            temporary.write_bytes(data)


def show_picture(picture: np.ndarray, title: str, seconds: float) -> None:
    """Show a picture in a window.

    Args:
        picture (np.ndarray): BGR, uint8 (H, W, 3).
        title (str): Of the window.
        seconds (float): How long to wait; until a key is pressed with 0.

    Raises:
        ValueError: If OpenCV has no windows here.
    """
    try:
        cv2.imshow(title, picture)
        cv2.waitKey(max(1, round(1000 * seconds)) if seconds else 0)
    except cv2.error as error:
        raise ValueError(
            'show=True needs a screen, and OpenCV with windows: name a folder with '
            'vis_out_dir instead'
        ) from error


def _predictions_path(each: Input, options: CallOptions) -> Path | None:
    folder = options.pred_out_dir
    return Path(folder, f'{_stem(each)}.json') if folder else None


def _picture_path(each: Input, options: CallOptions) -> Path | None:
    """File of a drawing: the one named, or the input's name in the folder named."""
    chosen = Path(options.vis_out_dir)
    if not options.vis_out_dir or chosen.suffix:
        return chosen if options.vis_out_dir else None
    name = each.name if isinstance(each, Picture) else f'{each.name}.mp4'
    return chosen / name


def _is_same(target: Path, source: Path | None) -> bool:
    """Whether a result would replace an input; those in the network are no files."""
    there = source is not None and source.exists() and target.exists()
    return there and target.samefile(source)


def _stem(each: Input) -> str:
    return each.stem if isinstance(each, Picture) else each.name


def _with_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _encode(picture: np.ndarray, path: Path) -> bytes:
    """Encode a picture as its file's name says."""
    try:
        _, data = cv2.imencode(path.suffix, picture)
    except cv2.error as error:
        raise ValueError(f'{path} cannot be written: no picture format') from error
    return data.tobytes()


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)

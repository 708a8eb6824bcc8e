"""The arguments of MMPose's inferencer: those that do the same here, and the others."""

from dataclasses import dataclass, fields
from typing import Any

from mmhot.errors import hint_at_names

AXES = ('mmpose', 'z-up', 'camera')

# Argument: the value that changes nothing, and what is said of others.
_FIXED = {
    'bboxes': (None, 'people are found by det_model (MMPose ignores it, too)'),
    'draw_heatmap': (False, 'models give keypoints here, not heatmaps'),
    'merge_results': (True, 'the people of a picture always come together'),
    'pose_based_nms': (False, 'people found twice are told by nms_thr and tracking'),
    'return_datasample': (None, 'the argument is return_datasamples'),
    'skeleton_style': ('mmpose', "pictures are drawn in mmhot's own style"),
    'tracking_thr': (0.3, 'people are tracked through the clip, without a threshold'),
    'use_oks_tracking': (False, 'people are tracked by keypoints and boxes anyway'),
}
# MMPose moves people into one box unless told so; nobody is moved here.
_WITHOUT_EFFECT = {'disable_norm_pose_2d'}


@dataclass(frozen=True)
class CallOptions:
    """What a call of the inferencer is told, checked.

    Args:
        return_datasamples (bool): Whether predictions are MMPose's data samples.
        batch_size (int): Frames at once in 2D.
        return_vis (bool): Whether results hold pictures.
        show (bool): Whether pictures are shown in a window.
        wait_time (float): Seconds for which each is shown; 0 waits for a key, but in
            films.
        draw_bbox (bool): Whether boxes are drawn.
        radius (int): Of keypoints, in pixels.
        thickness (int): Of bones, in pixels.
        kpt_thr (float): Keypoints of less confidence are not drawn.
        bbox_thr (float): Boxes of this score and less are left out.
        nms_thr (float, optional): Overlap from which one of two boxes is left out. By
            default 0.3, or what the detector says that tells people apart by more.
        vis_out_dir (str): Folder, or one file, for pictures and videos.
        pred_out_dir (str): Folder for predictions.
        black_background (bool): Whether the picture is left out of the drawing.
        num_instances (int): People in the 3D view, the first ones; all if negative.
        disable_rebase_keypoint (bool): Whether poses stay where they are, around the
            root, instead of standing on height 0.
        axes (str): Of 3D keypoints, one of ``AXES``.
        fps (float, optional): Makes pictures one film of that rate.
    """

    return_datasamples: bool = False
    batch_size: int = 1
    return_vis: bool = False
    show: bool = False
    wait_time: float = 0
    draw_bbox: bool = False
    radius: int = 3
    thickness: int = 1
    kpt_thr: float = 0.3
    bbox_thr: float = 0.3
    nms_thr: float | None = None
    vis_out_dir: str = ''
    pred_out_dir: str = ''
    black_background: bool = False
    num_instances: int = -1
    disable_rebase_keypoint: bool = False
    axes: str = 'mmpose'
    fps: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ('batch_size', 'radius', 'thickness'):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'{name} must be at least 1, got {value!r}')
        for name in ('kpt_thr', 'bbox_thr', 'nms_thr'):
            value = getattr(self, name)
            given = name != 'nms_thr' or value is not None
            if given and not 0 <= value <= 1:
                raise ValueError(f'{name} must be from 0 to 1, got {value}')
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise ValueError(f'fps must be above 0, up to 1000, got {self.fps}')
        if self.axes not in AXES:
            raise ValueError(f'axes must be one of {AXES}, got {self.axes!r}')

    @property
    def draws(self) -> bool:
        """Whether pictures are wanted at all."""
        return bool(self.return_vis or self.show or self.vis_out_dir)


def read_options(out_dir: str | None = None, **given: Any) -> CallOptions:
    """Read what a call of the inferencer was given.

    Args:
        out_dir (str, optional): Folder for pictures and predictions, in folders of
            their own, where these are not named.
        **given (Any): The other arguments.

    Returns:
        CallOptions: Checked.

    Raises:
        TypeError: If an argument is unknown.
        ValueError: If an argument has a value that cannot be followed.
    """
    known = [field.name for field in fields(CallOptions)]
    if out_dir is not None:
        given.setdefault('vis_out_dir', f'{out_dir}/visualizations')
        given.setdefault('pred_out_dir', f'{out_dir}/predictions')
    for name in ('vis_out_dir', 'pred_out_dir'):
        given[name] = str(given.get(name) or '')
    wanted = {}
    for name, value in given.items():
        if name in known:
            wanted[name] = value
        elif name in _FIXED:
            usual, reason = _FIXED[name]
            if value != usual:
                raise ValueError(f'{name}={value!r} cannot be followed: {reason}')
        elif name not in _WITHOUT_EFFECT:
            raise TypeError(
                f'unexpected argument {name!r}; '
                f'{hint_at_names(name, [*known, "out_dir"])}'
            )
    return CallOptions(**wanted)

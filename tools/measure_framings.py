"""Measure a lifter on the same motions, framed as people film them.

Every window of the validation motions is seen in the centred framing of training and
in seven others; the lifter is told the picture's size and nothing else about the
camera. Prints MPJPE and P-MPJPE in millimetres, for true and for noisy 2D keypoints.

Example::

    python tools/measure_framings.py --stride 20
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmhot.cli.errors import OneLineParser, print_line, run_safely

_BATCH = 256
_OFF_CENTRE = 1 / 3  # of the picture's width
_SMALL = 0.25  # of the picture's height
_PERSON = 1.75  # metres, a standing person
_ROOM = 1.5  # metres around the middle in which people act when they walk freely
_PHONE_FOCAL = 0.75  # over the longer side of the picture


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', help='shipped weights by name, or a config file')
    parser.add_argument('--checkpoint', type=Path, help='weights for a config file')
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    parser.add_argument('--split', default='val', help='motions to use')
    parser.add_argument(
        '--stride', type=int, default=10, help='frames from one window to the next'
    )
    parser.add_argument('--out', type=Path, help='write the table as JSON, too')
    return parser.parse_args()


def resized(camera: dict, w: int, h: int, focal: float) -> dict:
    """The camera with another picture size and focal length (pixels)."""
    return dict(
        camera, w=w, h=h, f=np.full(2, focal), c=np.array([w / 2, h / 2], np.float32)
    )


def widescreen(camera: dict) -> dict:
    """Full HD from so far that a standing person has a quarter of the height."""
    camera = resized(camera, 1920, 1080, _PHONE_FOCAL * 1920)
    distance = camera['f'][0] * _PERSON / (_SMALL * camera['h'])
    here = np.linalg.norm(camera['T'][:2])
    place = camera['T'] * np.array([distance / here, distance / here, 1])
    return aimed(dict(camera, T=place.astype(np.float32)))


def portrait(camera: dict) -> dict:
    """A phone held upright, at the same distance."""
    return resized(camera, 1080, 1920, _PHONE_FOCAL * 1920)


def aimed(camera: dict, sideways: float = 0.0) -> dict:
    """Point the camera at the person, or a part of the picture's width beside it."""
    from mmhot.datasets.transforms.virtual_camera import look_at_camera

    rotation = look_at_camera(camera['T'], np.array([0, 0, 0.95]), 0.0)
    angle = np.arctan(sideways * camera['w'] / camera['f'][0])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    return dict(camera, R=(rotation @ turn).astype(np.float32))


# name: (change of the camera, frames per second, whether the person walks freely)
FRAMINGS: dict[str, tuple[Callable[[dict], dict], float, bool]] = {
    'centred': (lambda camera: camera, 50.0, False),
    'walking freely': (lambda camera: camera, 50.0, True),
    '16:9, 25 % of the height': (widescreen, 50.0, False),
    'portrait': (portrait, 50.0, False),
    'off-centre by a third': (lambda camera: aimed(camera, _OFF_CENTRE), 50.0, False),
    'focal length x 0.6': (lambda c: dict(c, f=c['f'] * 0.6), 50.0, False),
    'focal length x 2': (lambda c: dict(c, f=c['f'] * 2), 50.0, False),
    'half the frames per second': (lambda camera: camera, 25.0, False),
}


def measure(args: argparse.Namespace) -> None:
    """Print the table."""
    if args.stride < 1:
        raise ValueError(f'--stride must be at least 1, got {args.stride}')
    from mmengine.fileio import dump
    from tqdm import tqdm

    from mmhot.apis import Lifter
    from mmhot.datasets import MocapDataset

    lifter = Lifter(args.model, args.checkpoint)
    dataset = MocapDataset(
        ann_file='cmu_h36m17.npz',
        split_file='cmu_split.json',
        split=args.split,
        camera_file='virtual_cameras.json',
        data_root=str(args.data_root),
        seq_len=lifter.seq_len,
        stride=args.stride,
        test_mode=True,
    )
    table = {}
    with tqdm(total=len(FRAMINGS) * len(dataset), unit='window', leave=False) as bar:
        for name, framing in FRAMINGS.items():
            table[name] = measure_framing(lifter, dataset, framing, bar.update)
    print_table(table)
    if args.out:
        from mmhot.io.atomic import replacing

        with replacing(args.out) as temporary:
            dump(dict(model=lifter.name, stride=args.stride, mm=table), temporary)


def measure_framing(lifter, dataset, framing: tuple, progress) -> dict[str, float]:
    """MPJPE and P-MPJPE (mm) of all windows in one framing."""
    from mmhot.datasets.transforms import DetectorNoise
    from mmhot.evaluation import mpjpe, p_mpjpe

    change, fps, free = framing
    noise = DetectorNoise(seed=0)
    errors = {'windows': 0}
    sums = np.zeros(4)
    batch: dict[tuple, list] = {}

    def finish(camera_size: tuple[int, int]) -> None:
        """Lift and count one batch of windows of equal picture size."""
        seen, target = (
            np.stack(each) for each in zip(*batch.pop(camera_size), strict=True)
        )
        camera = dict(w=camera_size[0], h=camera_size[1])
        for column, source in enumerate(np.moveaxis(seen, 1, 0)):
            pred = lifter.predict(source, camera)
            pred = pred[:, pred.shape[1] // 2]
            sums[2 * column] += mpjpe(pred, target).sum()
            sums[2 * column + 1] += p_mpjpe(pred, target).sum()

    import torch

    with torch.inference_mode():
        for index in range(len(dataset)):
            window = see(dataset, index, change, fps, free, lifter.fps, noise)
            progress(1)
            if window is None:
                continue
            size, seen, target = window
            errors['windows'] += 1
            batch.setdefault(size, []).append((seen, target))
            if len(batch[size]) == _BATCH:
                finish(size)
        for size in list(batch):
            finish(size)
    names = ('MPJPE', 'P-MPJPE', 'noisy MPJPE', 'noisy P-MPJPE')
    means = 1000 * sums / max(errors['windows'], 1)
    return errors | dict(zip(names, means.round(2).tolist(), strict=True))


def see(dataset, index: int, change, fps: float, free: bool, model_fps: float, noise):
    """One window: picture size, true and noisy pixels (2, T, 17, 2), target (17, 3).

    None where less than 95 % of the joints are in the picture or something is nearer
    than 2 m.
    """
    from mmhot.datasets.transforms.frame_rate import resample
    from mmhot.datasets.transforms.virtual_camera import place_on_floor, project

    info = dataset.get_data_info(index)
    camera = change(info['camera_param'])
    joints = info['joints_world']
    offset = place_on_floor(joints)
    if free:
        number = dataset.clip_of_window[index]
        whole = dataset.clips[number].arrays['joints_world']
        offset[:2] = somewhere(number) - whole[:, 0, :2].mean(0)
    pixels, in_camera = project(joints + offset, camera)
    size = (camera['w'], camera['h'])
    inside = ((pixels >= 0) & (pixels <= size)).all(-1).mean()
    if free and (in_camera[..., 2].min() < 2 or inside < 0.95):
        return None
    noisy = noise.transform(dict(keypoints=pixels, id=info['id']))['keypoints']
    seen = np.stack([pixels, noisy], 1).astype(np.float32)
    if fps != model_fps:
        # the centre frame is among those that are filmed
        step = model_fps / fps
        centre = len(seen) // 2
        filmed = np.arange(centre % step, len(seen), step)
        back = (np.arange(len(seen)) - filmed[0]) / step
        seen = resample(resample(seen, filmed), back)
    centre = in_camera[len(in_camera) // 2]
    return size, np.moveaxis(seen, 1, 0), centre - centre[:1]


def somewhere(number: int) -> np.ndarray:
    """A place on the floor for clip ``number``, up to 1.5 m from the middle, (2,)."""
    rng = np.random.default_rng(number)
    angle, radius = rng.uniform(-np.pi, np.pi), _ROOM * np.sqrt(rng.uniform())
    return radius * np.array([np.cos(angle), np.sin(angle)])


def print_table(table: dict[str, dict[str, float]]) -> None:
    """One row a framing; the last column compares noisy MPJPE with the centred one."""
    columns = list(next(iter(table.values())))
    header = ''.join(f'{name:>15}' for name in columns)
    print_line(f'{"framing":<28}{header}{"of centred":>12}')
    reference = table['centred']['noisy MPJPE']
    for name, row in table.items():
        values = ''.join(f'{row[column]:>15}' for column in columns)
        print_line(f'{name:<28}{values}{row["noisy MPJPE"] / reference:>11.2f}x')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_framings.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())

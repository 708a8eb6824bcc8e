"""MMPose's metainfo of keypoints: names, links, mirror pairs and body parts.

As in MMPose, a file is Python that assigns ``dataset_info``, and is run.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import Any, NamedTuple

# Words in the names of keypoints of the head; their ``type`` is that of the upper body.
_HEAD = {
    *('beak', 'brow', 'chin', 'ear', 'eye', 'eyebrow', 'face', 'forehead', 'head'),
    *('jaw', 'lip', 'mouth', 'muzzle', 'nose', 'snout', 'tongue'),
}


class Metainfo(NamedTuple):
    """Keypoints of a dataset.

    Attributes:
        name (str): ``dataset_name``.
        joints (tuple[str]): Names in order, K of them.
        swaps (tuple[int]): Index of each keypoint's counterpart in a mirrored image.
        links (tuple[tuple[int, int]]): Pairs of linked keypoints.
        types (tuple[str]): 'head', 'upper', 'lower' or '' of each keypoint.
    """

    name: str
    joints: tuple[str, ...]
    swaps: tuple[int, ...]
    links: tuple[tuple[int, int], ...]
    types: tuple[str, ...]

    def tree(self) -> tuple[int, ...]:
        """Return the parent of each keypoint in a tree of links, -1 for roots.

        Roots are the keypoints on the midline with most links. Keypoints that are not
        linked to each other are in several trees.
        """
        neighbors: list[list[int]] = [[] for _ in self.joints]
        for first, second in self.links:
            neighbors[first].append(second)
            neighbors[second].append(first)
        parents: dict[int, int] = {}
        indices = range(len(self.joints))
        for root in sorted(
            indices, key=lambda i: (self.swaps[i] != i, -len(neighbors[i]))
        ):
            if root in parents:
                continue
            parents[root], queue = -1, [root]
            for joint in queue:
                new = [other for other in neighbors[joint] if other not in parents]
                parents |= dict.fromkeys(new, joint)
                queue += dict.fromkeys(new)
        return tuple(parents[index] for index in indices)

    def parts(self) -> dict[str, tuple[str, ...]]:
        """Return the names of keypoints of the head, upper and lower body."""
        names = dict(head='head', upper='upper_body', lower='lower_body')
        return {
            name: tuple(
                joint
                for joint, own in zip(self.joints, self.types, strict=True)
                if own == kind
            )
            for kind, name in names.items()
            if kind in self.types
        }


def read_metainfo(metainfo: Mapping[str, Any]) -> Metainfo:
    """Read a metainfo as datasets of MMPose take it, or as they return it.

    Args:
        metainfo (Mapping): ``dict(from_file=...)``, with the path of a Python file or
            the name of a file of MMPose; the content of such a file; or the
            ``metainfo`` of a dataset, which is in checkpoints as ``dataset_meta``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file or the metainfo is damaged, with its name.
    """
    is_parsed = 'keypoint_id2name' in metainfo
    path = None if is_parsed else metainfo.get('from_file')
    file = None if path is None else _find_file(path)
    try:
        if is_parsed:
            return _read_parsed(metainfo)
        return _read_raw(run_path(str(file))['dataset_info'] if file else metainfo)
    except Exception as error:
        missing = isinstance(error, KeyError)
        reason = f'{error.args[0]!r} is missing' if missing else error
        where = '' if path is None else f' {path}'
        raise ValueError(f'metainfo{where}: {reason}') from error


def _find_file(path: str) -> Path:
    """Return the path of a file, or of MMPose's file of this name, as MMPose does."""
    file = Path(path)
    if file.is_file():
        return file
    spec = find_spec('mmpose')
    if spec is not None and spec.origin is not None:
        own = Path(spec.origin).parent / '.mim/configs/_base_/datasets' / file.name
        if own.is_file():
            return own
    raise FileNotFoundError(f'metainfo: there is no file {path}')


def _read_raw(metainfo: Mapping[str, Any]) -> Metainfo:
    """Read the content of a file."""
    keypoints = metainfo['keypoint_info']
    if not keypoints or set(keypoints) != set(range(len(keypoints))):
        raise ValueError('keys of keypoint_info must be 0, 1, 2, ...')
    rows = [keypoints[index] for index in range(len(keypoints))]
    joints = tuple(row['name'] for row in rows)
    if len(set(joints)) < len(joints):
        raise ValueError(f'names of keypoints must differ, got {", ".join(joints)}')

    swaps = [row.get('swap') or row['name'] for row in rows]
    links = [link['link'] for link in metainfo['skeleton_info'].values()]
    return _check(
        metainfo['dataset_name'],
        joints,
        tuple(map(joints.index, swaps)),
        [tuple(map(joints.index, link)) for link in links],
        [row.get('type', '') for row in rows],
    )


def _read_parsed(metainfo: Mapping[str, Any]) -> Metainfo:
    """Read the ``metainfo`` of a dataset."""
    names = metainfo['keypoint_id2name']
    types = [''] * len(names)
    for kind in ('upper', 'lower'):
        for index in metainfo.get(f'{kind}_body_ids', ()):
            types[index] = kind
    return _check(
        metainfo['dataset_name'],
        tuple(names[index] for index in range(len(names))),
        tuple(map(int, metainfo['flip_indices'])),
        [tuple(map(int, link)) for link in metainfo.get('skeleton_links', ())],
        types,
    )


def _check(
    name: str,
    joints: tuple[str, ...],
    swaps: tuple[int, ...],
    links: Iterable[tuple[int, int]],
    types: Sequence[str],
) -> Metainfo:
    """Check that counterparts are mutual, and find the keypoints of the head."""
    for index, other in enumerate(swaps):
        if swaps[other] != index:
            raise ValueError(
                f'{joints[index]} is swapped with {joints[other]}, but that with '
                f'{joints[swaps[other]]}'
            )
    kinds = [
        'head' if own != 'lower' and _is_of_head(joint) else own
        for joint, own in zip(joints, types, strict=True)
    ]
    return Metainfo(name, joints, swaps, tuple(links), tuple(kinds))


def _is_of_head(joint: str) -> bool:
    words = re.findall('[A-Z]?[a-z]+', joint)
    return not _HEAD.isdisjoint(word.lower() for word in words)

"""MMPose's metainfo of keypoints: names, links, mirror pairs and body parts.

As in MMPose, a file is Python that assigns ``dataset_info``, and is run.
"""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import Any, NamedTuple

from mmhot.errors import naming

_FOLDER = 'configs/_base_/datasets'
# Words in the names of keypoints of the head; their ``type`` is that of the upper body.
_HEAD = {
    *('beak', 'brow', 'chin', 'ear', 'eye', 'eyebrow', 'face', 'forehead', 'head'),
    *('jaw', 'lip', 'mouth', 'muzzle', 'nose', 'snout', 'tongue'),
}


class Metainfo(NamedTuple):
    """Keypoints of a dataset.

    Attributes:
        name (str): ``dataset_name``.
        joints (tuple[str]): Names of the K keypoints, in order.
        swaps (tuple[int]): Index of each keypoint's counterpart in a mirrored image.
        links (tuple[tuple[int, int]]): Pairs of linked keypoints.
        parts (Mapping[str, tuple[str, ...]]): Names of the keypoints of 'head',
            'upper_body' and 'lower_body'.
    """

    name: str
    joints: tuple[str, ...]
    swaps: tuple[int, ...]
    links: tuple[tuple[int, int], ...]
    parts: Mapping[str, tuple[str, ...]]

    def tree(self, start: int | None = None) -> tuple[int, ...]:
        """Return the parent of each keypoint in a tree of links, (K,); -1 for roots.

        Keypoints that are not linked to each other are in separate trees. Roots are
        ``start``, or else the keypoints on the midline with most links.
        """
        neighbors: list[list[int]] = [[] for _ in self.joints]
        for first, second in self.links:
            neighbors[first].append(second)
            neighbors[second].append(first)
        parents: dict[int, int] = {}
        indices = range(len(self.joints))
        # The start comes first, then joints on the midline with most links.
        for root in sorted(
            indices, key=lambda i: (i != start, self.swaps[i] != i, -len(neighbors[i]))
        ):
            if root in parents:
                continue
            parents[root] = -1
            queue = [root]
            for joint in queue:
                new = [other for other in neighbors[joint] if other not in parents]
                parents |= dict.fromkeys(new, joint)
                queue += dict.fromkeys(new)
        return tuple(parents[index] for index in indices)

    def content(self) -> dict[str, Any]:
        """Return plain values that :func:`read_metainfo` reads."""
        upper = self.parts['head'] + self.parts['upper_body']
        return dict(
            dataset_name=self.name,
            keypoint_id2name=dict(enumerate(self.joints)),
            flip_indices=list(self.swaps),
            skeleton_links=list(map(list, self.links)),
            upper_body_ids=sorted(map(self.joints.index, upper)),
            lower_body_ids=sorted(map(self.joints.index, self.parts['lower_body'])),
        )


def read_metainfo(metainfo: Mapping[str, Any]) -> Metainfo:
    """Read a metainfo as MMPose's datasets accept it, or as they return it.

    Args:
        metainfo (Mapping): ``dict(from_file=...)``, with the path of a Python file or
            the name of a file of MMPose; the content of such a file; or the
            ``metainfo`` of a dataset, which is in checkpoints as ``dataset_meta``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file or the metainfo is damaged; it names the file.
    """
    path = None if 'keypoint_id2name' in metainfo else metainfo.get('from_file')
    file = None if path is None else Path(path)
    if file and not file.is_file():  # MMPose's file of this name, as MMPose does
        file = find_shipped_file(f'{_FOLDER}/{file.name}') or file
    with naming(file or Path('metainfo')):
        return _read(run_path(str(file))['dataset_info'] if file else metainfo)


def find_shipped_file(name: str) -> Path | None:
    """Return the path of a file that MMPose ships, or None if there is none.

    ``name`` is relative to MMPose, such as ``configs/_base_/datasets/coco.py``.
    """
    spec = find_spec('mmpose')
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / '.mim'
    files = {f'{_FOLDER}/{path.name}': path for path in (folder / _FOLDER).glob('*.py')}
    return files.get(name)


def _read(metainfo: Mapping[str, Any]) -> Metainfo:
    """Read the content of a file, or a metainfo as datasets return it."""
    if 'keypoint_id2name' not in metainfo:
        metainfo = _parsed(metainfo)
    joints = tuple(_in_order(metainfo['keypoint_id2name']))
    swaps = tuple(map(int, metainfo['flip_indices']))
    for index, other in enumerate(swaps):
        if swaps[other] != index:
            raise ValueError(
                f'{joints[index]} is swapped with {joints[other]}, but that with '
                f'{joints[swaps[other]]}'
            )
    upper = {joints[index] for index in metainfo.get('upper_body_ids', ())}
    lower = {joints[index] for index in metainfo.get('lower_body_ids', ())}
    parts: dict[str, tuple[str, ...]] = {'head': (), 'upper_body': (), 'lower_body': ()}
    for joint in joints:
        words = {word.lower() for word in re.findall('[A-Z]?[a-z]+', joint)}
        if joint not in lower and words & _HEAD:
            parts['head'] += (joint,)
        elif joint in lower:
            parts['lower_body'] += (joint,)
        elif joint in upper:
            parts['upper_body'] += (joint,)
    links = ((int(x), int(y)) for x, y in metainfo.get('skeleton_links', ()))
    return Metainfo(metainfo['dataset_name'], joints, swaps, tuple(links), parts)


def _parsed(metainfo: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the content of a file to a metainfo as datasets return it."""
    rows = _in_order(metainfo['keypoint_info'])
    joints = [row['name'] for row in rows]
    types = [row.get('type') for row in rows]
    links = [link['link'] for link in metainfo['skeleton_info'].values()]
    return dict(
        dataset_name=metainfo['dataset_name'],
        keypoint_id2name=dict(enumerate(joints)),
        flip_indices=[joints.index(row.get('swap') or row['name']) for row in rows],
        skeleton_links=[(joints.index(x), joints.index(y)) for x, y in links],
        upper_body_ids=[index for index, x in enumerate(types) if x == 'upper'],
        lower_body_ids=[index for index, x in enumerate(types) if x == 'lower'],
    )


def _in_order(rows: Mapping[int | str, Any]) -> list[Any]:
    """Return values by their indices, which are text in JSON."""
    numbered = {int(index): row for index, row in rows.items()}
    return [numbered[index] for index in range(len(numbered))]

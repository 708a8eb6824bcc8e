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
    is_parsed = 'keypoint_id2name' in metainfo
    rows = metainfo['keypoint_id2name' if is_parsed else 'keypoint_info']
    rows = {int(key): row for key, row in rows.items()}  # text in JSON
    rows = [rows[index] for index in range(len(rows))]
    joints = tuple(row if is_parsed else row['name'] for row in rows)
    if is_parsed:
        swaps = tuple(map(int, metainfo['flip_indices']))
        links = [tuple(map(int, link)) for link in metainfo.get('skeleton_links', ())]
        types = [''] * len(joints)
        for kind in ('upper', 'lower'):
            for index in metainfo.get(f'{kind}_body_ids', ()):
                types[index] = kind
    else:
        swaps = tuple(joints.index(row.get('swap') or row['name']) for row in rows)
        links = [link['link'] for link in metainfo['skeleton_info'].values()]
        links = [tuple(map(joints.index, link)) for link in links]
        types = [row.get('type', '') for row in rows]
    for index, other in enumerate(swaps):
        if swaps[other] != index:
            raise ValueError(
                f'{joints[index]} is swapped with {joints[other]}, but that with '
                f'{joints[swaps[other]]}'
            )
    parts: dict[str, list[str]] = {'head': [], 'upper_body': [], 'lower_body': []}
    for joint, kind in zip(joints, types, strict=True):
        words = {word.lower() for word in re.findall('[A-Z]?[a-z]+', joint)}
        if kind != 'lower' and words & _HEAD:
            parts['head'].append(joint)
        elif f'{kind}_body' in parts:
            parts[f'{kind}_body'].append(joint)
    name = metainfo['dataset_name']
    pairs = tuple((start, end) for start, end in links)
    named = {part: tuple(names) for part, names in parts.items()}
    return Metainfo(name, joints, swaps, pairs, named)

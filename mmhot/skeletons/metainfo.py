"""MMPose's metainfo of keypoints: names, links, mirror pairs and body parts.

A file is parsed, not run: the ``dataset_info`` of MMPose's own files consists of
literals, ``dict(...)`` and lists that are added or repeated.
"""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from operator import add, mul, truediv
from pathlib import Path
from typing import Any, NamedTuple

_OPERATORS = {ast.Add: add, ast.Mult: mul, ast.Div: truediv}
_MOST_KEYPOINTS = 10_000
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
        found = {
            name: tuple(
                joint
                for joint, own in zip(self.joints, self.types, strict=True)
                if own == kind
            )
            for kind, name in names.items()
        }
        return {name: joints for name, joints in found.items() if joints}


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
    path = metainfo.get('from_file')
    try:
        if path is not None:
            metainfo = _parse_file(_find_file(path))
        if 'keypoint_id2name' in metainfo:
            return _read_parsed(metainfo)
        return _read_raw(metainfo)
    except (AttributeError, KeyError, SyntaxError, TypeError, ValueError) as error:
        missing = isinstance(error, KeyError)
        reason = f'{error.args[0]!r} is missing' if missing else error
        raise ValueError(
            f'metainfo {path or ""}: {reason}'.replace(' :', ':')
        ) from error


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


def _parse_file(file: Path) -> dict[str, Any]:
    """Evaluate the assignments of a file; returns its ``dataset_info``."""
    values: dict[str, Any] = {}
    for statement in ast.parse(file.read_text(encoding='utf-8')).body:
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets
            values[ast.unparse(target)] = _evaluate(statement.value, values)
    return values['dataset_info']


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """Evaluate literals, ``dict(...)``, names of earlier values, and sums of lists."""

    def of(child: ast.expr) -> Any:
        return _evaluate(child, values)

    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in values:
            return values[node.id]
        case ast.List() | ast.Tuple():
            return [of(item) for item in node.elts]
        case ast.Dict() if all(node.keys):
            pairs = zip(node.keys, node.values, strict=True)
            return {of(key): of(value) for key, value in pairs}
        case ast.Call(func=ast.Name(id='dict'), args=[]) if all(
            keyword.arg for keyword in node.keywords
        ):
            return {keyword.arg: of(keyword.value) for keyword in node.keywords}
        case ast.Subscript():
            return of(node.value)[of(node.slice)]
        case ast.BinOp() if type(node.op) in _OPERATORS:
            left, right = of(node.left), of(node.right)
            is_long = isinstance(right, int) and right > _MOST_KEYPOINTS
            if not (isinstance(left, list | str) and is_long):
                return _OPERATORS[type(node.op)](left, right)
    raise ValueError(
        f'line {node.lineno}: {ast.unparse(node):.60} is not a literal; the file is '
        'read without running it'
    )


def _read_raw(metainfo: Mapping[str, Any]) -> Metainfo:
    """Read the content of a file."""
    keypoints = metainfo['keypoint_info']
    if not keypoints or set(keypoints) != set(range(len(keypoints))):
        raise ValueError('keys of keypoint_info must be 0, 1, 2, ...')
    rows = [keypoints[index] for index in range(len(keypoints))]
    joints = tuple(row['name'] for row in rows)
    if len(set(joints)) < len(joints):
        raise ValueError(f'names of keypoints must differ, got {", ".join(joints)}')

    def index(name: str) -> int:
        if name not in joints:
            raise ValueError(f'{name!r} is not the name of a keypoint')
        return joints.index(name)

    swaps = tuple(index(row.get('swap') or row['name']) for row in rows)
    links = [link['link'] for link in metainfo['skeleton_info'].values()]
    types = [row.get('type', '') for row in rows]
    return _check(
        metainfo['dataset_name'],
        joints,
        swaps,
        [(index(first), index(second)) for first, second in links],
        types,
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

"""Rendered people, or any others that were packed into shards."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.logging import MessageHub
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from mmhot.datasets.clip_dataset import MMPOSE_DATASETS
from mmhot.datasets.foot_order import feet_alternate, order_feet
from mmhot.datasets.packed_people import PackedPeople, read_packed_people
from mmhot.skeletons.joints import get_skeleton

_LOGGER = logging.getLogger(__name__)

_METAINFOS = {'coco-17': 'coco.py', 'coco-wholebody-133': 'coco_wholebody.py'}
# Keypoints of the body, the first of either skeleton.
_NUM_BODY = 17
# Where COCO-WholeBody's JSON keeps the keypoints of each part.
_PARTS = {
    'keypoints': 'body',
    'foot_kpts': 'feet',
    'face_kpts': 'face',
    'lefthand_kpts': 'left_hand',
    'righthand_kpts': 'right_hand',
}


def metainfo_file(skeleton: str) -> str:
    """Return MMPose's file on a skeleton of COCO's."""
    if skeleton not in _METAINFOS:
        raise ValueError(
            f'skeleton must be one of {", ".join(_METAINFOS)}, got {skeleton!r}'
        )
    return str(MMPOSE_DATASETS / _METAINFOS[skeleton])


@DATASETS.register_module()
class RenderedPeopleDataset(BaseCocoStyleDataset):
    """Crops of people for top-down training, with MMPose's usual keys.

    Reads shards of :mod:`mmhot.datasets.packed_people` with the 133 keypoints of
    COCO-WholeBody, of which COCO's 17 are the first. Images stay encoded in memory
    until they are asked for. The sample's ``img`` is what ``LoadImage`` would load.

    Args:
        ann_file (str or list[str]): Shards.
        skeleton (str): Keypoints wanted, 'coco-17' or 'coco-wholebody-133'. Defaults
            to 'coco-17'.
        visible_only (Sequence[str]): Groups of the skeleton whose hidden keypoints do
            not count. COCO's annotators do not label what they cannot see of faces
            and hands, renderers do. Defaults to none.
        min_keypoints (int): People with fewer labeled keypoints are left out.
            Defaults to 1.
        min_visible (int): So are people with labels of whose body fewer keypoints are
            visible: what one sees there is somebody else. Defaults to 0.
        hidden_weight (float): Weight of hidden keypoints beside visible ones, from
            0.5, below which MMPose takes them for not labeled. Renderers label all
            of them, annotators few. Defaults to 1.
        complete (bool): Whether keypoints without a label are known to be outside of
            the picture, as renderers know it, and get visibility -1, see
            :class:`GTPTLabel`; for training. Defaults to False.
        order_feet (bool): Whether to put the feet of shards in which left and right
            points take turns, as the first rendered ones, into the skeleton's order.
            Otherwise they stay as they are, with a warning. Defaults to False.
        **kwargs: Those of MMPose's top-down datasets, except ``bbox_file``.

    Raises:
        FileNotFoundError: If a shard is missing.
        ValueError: If a shard is damaged or has too few keypoints; the skeleton is
            another; or an argument has no meaning here.
    """

    # MMPose's ``init_model`` asks the class, unless the config has ``metainfo``
    METAINFO: dict = dict(from_file=metainfo_file('coco-17'))

    def __init__(
        self,
        ann_file: str | Sequence[str],
        skeleton: str = 'coco-17',
        visible_only: Sequence[str] = (),
        min_keypoints: int = 1,
        min_visible: int = 0,
        hidden_weight: float = 1.0,
        complete: bool = False,
        order_feet: bool = False,
        metainfo: dict | None = None,
        data_root: str = '',
        **kwargs,
    ) -> None:
        metainfo = metainfo or dict(from_file=metainfo_file(skeleton))
        self.skeleton = get_skeleton(skeleton)
        self.visible_only = [
            index for group in visible_only for index in self.skeleton.indices(group)
        ]
        if not 0.5 <= hidden_weight <= 1:
            raise ValueError(f'hidden_weight must be in [0.5, 1], got {hidden_weight}')
        self.min_keypoints, self.min_visible = min_keypoints, min_visible
        self.hidden_weight = hidden_weight
        self.complete = complete
        self.order_feet = order_feet
        for name, wanted in (('data_mode', 'topdown'), ('bbox_file', None)):
            if kwargs.get(name, wanted) != wanted:
                raise ValueError(
                    f'RenderedPeopleDataset: {name} must be {wanted!r}, '
                    f'got {kwargs[name]!r}'
                )
        names = [ann_file] if isinstance(ann_file, str) else list(ann_file)
        self.shard_files = [Path(data_root or '', name) for name in names]
        super().__init__(metainfo=metainfo, data_root=data_root, **kwargs)
        described = len(self._metainfo['flip_indices'])
        if described != self.skeleton.num_keypoints:
            raise ValueError(
                f'metainfo has {described} keypoints, skeleton {skeleton!r} has '
                f'{self.skeleton.num_keypoints}'
            )
        self._metainfo['CLASSES'] = [dict(id=1, name='person')]
        # MMPose's metric would read this file; there is none
        hub = MessageHub.get_current_instance()
        hub.update_info(f'{self.metainfo["dataset_name"]}_ann_file', None)

    def load_data_list(self) -> list[dict]:
        """Read the shards; the list holds labels, not images."""
        self.shards = [self._read(path) for path in self.shard_files]
        infos = []
        for number, shard in enumerate(self.shards):
            if shard.keypoints.shape[1] < self.skeleton.num_keypoints:
                raise ValueError(
                    f'{self.shard_files[number]} has {shard.keypoints.shape[1]} '
                    f'keypoints, {self.skeleton.name} needs '
                    f'{self.skeleton.num_keypoints}'
                )
            infos += self._infos(number, shard, first=len(infos))
        if not infos:
            raise ValueError(
                f'nobody is left of {", ".join(map(str, self.shard_files))}'
            )
        return infos[:: self.sample_interval]

    def _read(self, path: Path) -> PackedPeople:
        """Read a shard, and see to its feet if the skeleton has them."""
        shard = read_packed_people(path)
        if self.skeleton.name == 'coco-17' or not feet_alternate(shard):
            return shard
        if self.order_feet:
            return order_feet(shard)
        _LOGGER.warning(
            "%s: left and right points of the feet take turns, not in the skeleton's "
            'order; order_feet=True puts them right',
            path,
        )
        return shard

    def _infos(self, number: int, shard: PackedPeople, first: int) -> list[dict]:
        """Labels of the people in one shard."""
        keypoints = shard.keypoints[:, : self.skeleton.num_keypoints]
        visibility = shard.visibility[:, : self.skeleton.num_keypoints].copy()
        hidden = visibility[:, self.visible_only] == 1
        # of keypoints that are not labeled, hidden and visible
        by_flag = (-int(self.complete), self.hidden_weight, 1)
        weights = np.array(by_flag, np.float32)[visibility]
        for array in (weights, visibility):
            array[:, self.visible_only] *= ~hidden
        labeled = (visibility > 0).sum(1)
        seen = (visibility[:, :_NUM_BODY] == 2).sum(1)
        enough = (labeled == 0) | (seen >= self.min_visible)
        enough = np.flatnonzero(enough & (labeled >= self.min_keypoints))
        areas = shard.areas
        return [
            self._info(
                number,
                row,
                first + i,
                keypoints[row],
                visibility[row],
                weights[row],
                shard.bboxes[row],
                areas[row],
            )
            for i, row in enumerate(enough)
        ]

    def _info(
        self,
        shard: int,
        row: int,
        number: int,
        keypoints: np.ndarray,
        visibility: np.ndarray,
        weights: np.ndarray,
        bbox: np.ndarray,
        area: np.float32,
    ) -> dict:
        return {
            'img_id': number,
            'id': number,
            'shard': shard,
            'row': int(row),
            'img_path': f'{self.shard_files[shard]}#{row}',
            'category_id': np.array(1),
            'iscrowd': 0,
            'segmentation': None,
            'area': np.array(area),
            'bbox': bbox[None],
            'bbox_score': np.ones(1, np.float32),
            # COCO-WholeBody counts the body's, too
            'num_keypoints': int((visibility[:_NUM_BODY] > 0).sum()),
            'keypoints': keypoints[None],
            'visibility': visibility,
            'keypoints_visible': weights[None],
        }

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """One person: labels and decoded ``img``, BGR uint8 (H, W, 3)."""
        info = super().get_data_info(idx)
        try:
            info['img'] = self.shards[info['shard']].decode(info['row'])
        except ValueError as error:
            raise ValueError(f'{self.shard_files[info["shard"]]}: {error}') from error
        info['raw_ann_info'] = self._raw_annotation(info)
        return info

    def _raw_annotation(self, info: dict) -> dict:
        """The person as COCO's JSON would hold it: CocoMetric makes its truth of it."""
        flags = info.pop('visibility')
        x1, y1, x2, y2 = map(float, info['bbox'][0])
        triples = np.concatenate([info['keypoints'][0], flags[:, None]], -1)
        return {
            'id': info['id'],
            'image_id': info['img_id'],
            'category_id': 1,
            'iscrowd': 0,
            'area': float(info['area']),
            'bbox': [x1, y1, x2 - x1, y2 - y1],
            'num_keypoints': info['num_keypoints'],
            **self._by_part(triples),
        }

    def _by_part(self, triples: np.ndarray) -> dict[str, list[float]]:
        if self.skeleton.name == 'coco-17':
            return {'keypoints': triples.ravel().tolist()}
        return {
            key: triples[self.skeleton.indices(group)].ravel().tolist()
            for key, group in _PARTS.items()
        }

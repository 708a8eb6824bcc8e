"""Top-down dataset of packed people, rendered or annotated."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.logging import MessageHub
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from mmhot import get_skeleton
from projects.rendered_people.packed_people import PackedPeople, read_packed_people

# MMPose's descriptions of the skeletons.
METAINFO = {
    'coco-17': 'configs/_base_/datasets/coco.py',
    'coco-wholebody-133': 'configs/_base_/datasets/coco_wholebody.py',
}
_NUM_BODY = 17  # keypoints that come first in both skeletons
# Keys of COCO-WholeBody's annotations and the groups of their keypoints.
_PARTS = {
    'keypoints': 'body',
    'foot_kpts': 'feet',
    'face_kpts': 'face',
    'lefthand_kpts': 'left_hand',
    'righthand_kpts': 'right_hand',
}


@DATASETS.register_module()
class RenderedPeopleDataset(BaseCocoStyleDataset):
    """Crops of people for top-down training, with MMPose's usual keys.

    Reads shards of :mod:`projects.rendered_people.packed_people` with the 133 keypoints
    of COCO-WholeBody, or COCO's 17, which are the first of them. Images stay encoded in
    memory until they are requested. The sample's ``img`` is what ``LoadImage`` would
    load.

    Args:
        ann_file (str or list[str]): Shards.
        skeleton (str): Keypoints of the samples, 'coco-17' or 'coco-wholebody-133'.
            Defaults to 'coco-17'.
        visible_only (Sequence[str]): Groups of the skeleton whose hidden keypoints
            are ignored. COCO's annotators do not label hidden keypoints of faces and
            hands, renderers do. Defaults to none.
        min_keypoints (int): Fewest labeled keypoints of a person. Defaults to 1.
        min_visible (int): Fewest visible keypoints of the body of a labeled person;
            with fewer, the crop shows mostly the occluder. Defaults to 0.
        hidden_weight (float): Weight of hidden keypoints, from 0.5, below which
            MMPose ignores a keypoint. Renderers label all of them, annotators few.
            Defaults to 1.
        complete (bool): Whether keypoints without a label are outside of the image,
            as in rendered images; they get visibility -1, see :class:`GTPTLabel`.
            For training. Defaults to False.
        photos (Sequence[str]): Shards of ``ann_file`` whose labels are annotators',
            who leave keypoints out: ``complete`` and ``hidden_weight`` do not apply.
            They are repeated until they are half of the samples. Defaults to none.
        **kwargs: Arguments of MMPose's top-down datasets, except ``bbox_file``.

    Raises:
        FileNotFoundError: If a shard is missing.
        ValueError: If a shard is damaged or has too few keypoints, or an argument is
            not supported.
    """

    # MMPose's ``init_model`` reads the class attribute if the config has no metainfo
    METAINFO: dict = dict(from_file=METAINFO['coco-17'])

    def __init__(
        self,
        ann_file: str | Sequence[str],
        skeleton: str = 'coco-17',
        visible_only: Sequence[str] = (),
        min_keypoints: int = 1,
        min_visible: int = 0,
        hidden_weight: float = 1.0,
        complete: bool = False,
        photos: Sequence[str] = (),
        metainfo: dict | None = None,
        data_root: str = '',
        **kwargs,
    ) -> None:
        if skeleton not in METAINFO:
            known = ', '.join(METAINFO)
            raise ValueError(f'skeleton must be one of {known}, got {skeleton!r}')
        metainfo = metainfo or dict(from_file=METAINFO[skeleton])
        self.skeleton = get_skeleton(skeleton)
        self.visible_only = [
            index for group in visible_only for index in self.skeleton.indices(group)
        ]
        if not 0.5 <= hidden_weight <= 1:
            raise ValueError(f'hidden_weight must be in [0.5, 1], got {hidden_weight}')
        self.min_keypoints, self.min_visible = min_keypoints, min_visible
        self.hidden_weight = hidden_weight
        self.complete = complete
        for name, wanted in (('data_mode', 'topdown'), ('bbox_file', None)):
            if kwargs.get(name, wanted) != wanted:
                raise ValueError(
                    f'{name} of RenderedPeopleDataset must be {wanted!r}, '
                    f'got {kwargs[name]!r}'
                )
        names = [ann_file] if isinstance(ann_file, str) else list(ann_file)
        self.shard_files = [Path(data_root or '', name) for name in names]
        self.photos = {Path(data_root or '', name) for name in photos}
        if unknown := self.photos.difference(self.shard_files):
            raise ValueError(f'photos has {min(unknown)}, which is not in ann_file')
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
        """Read the shards; return labels without images."""
        self.shards = [read_packed_people(path) for path in self.shard_files]
        rendered, photos = [], []
        for number, shard in enumerate(self.shards):
            if shard.keypoints.shape[1] < self.skeleton.num_keypoints:
                raise ValueError(
                    f'{self.shard_files[number]} has {shard.keypoints.shape[1]} '
                    f'keypoints, {self.skeleton.name} needs '
                    f'{self.skeleton.num_keypoints}'
                )
            is_photo = self.shard_files[number] in self.photos
            (photos if is_photo else rendered).extend(self._infos(number, shard))
        times = max(round(len(rendered) / max(len(photos), 1)), 1)
        infos = [
            dict(info, img_id=index, id=index)
            for index, info in enumerate(rendered + times * photos)
        ]
        if not infos:
            raise ValueError(
                f'no person in {", ".join(map(str, self.shard_files))} has '
                f'min_keypoints={self.min_keypoints} and min_visible={self.min_visible}'
            )
        return infos[:: self.sample_interval]

    def _infos(self, number: int, shard: PackedPeople) -> list[dict]:
        """Labels of the people in one shard."""
        keypoints = shard.keypoints[:, : self.skeleton.num_keypoints]
        visibility = shard.visibility[:, : self.skeleton.num_keypoints].copy()
        hidden = visibility[:, self.visible_only] == 1
        # weights of keypoints that are not labeled, hidden, visible
        by_flag = (-int(self.complete), self.hidden_weight, 1)
        if self.shard_files[number] in self.photos:
            by_flag = (0, 1, 1)
        weights = np.array(by_flag, np.float32)[visibility]
        for array in (weights, visibility):
            array[:, self.visible_only] *= ~hidden
        num_labeled = (visibility > 0).sum(1)
        num_visible = (visibility[:, :_NUM_BODY] == 2).sum(1)
        num_of_body = (visibility[:, :_NUM_BODY] > 0).sum(1)
        is_kept = (num_labeled == 0) | (num_visible >= self.min_visible)
        is_kept &= num_labeled >= self.min_keypoints
        areas = shard.areas
        return [
            {
                'shard': number,
                'row': int(row),
                'img_path': f'{self.shard_files[number]}#{row}',
                'category_id': np.array(1),
                'iscrowd': 0,
                'segmentation': None,
                'area': np.array(areas[row]),
                'bbox': shard.bboxes[row][None],
                'bbox_score': np.ones(1, np.float32),
                # the body's, also in COCO-WholeBody
                'num_keypoints': int(num_of_body[row]),
                'keypoints': keypoints[row][None],
                'visibility': visibility[row],
                'keypoints_visible': weights[row][None],
            }
            for row in np.flatnonzero(is_kept)
        ]

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return a person's labels and decoded ``img``, BGR uint8 (H, W, 3)."""
        info = super().get_data_info(idx)
        try:
            info['img'] = self.shards[info['shard']].decode(info['row'])
        except ValueError as error:
            raise ValueError(f'{self.shard_files[info["shard"]]}: {error}') from error
        info['raw_ann_info'] = self._raw_annotation(info)
        return info

    def _raw_annotation(self, info: dict) -> dict:
        """The person as in COCO's JSON, CocoMetric's ground truth."""
        flags = info.pop('visibility')
        x1, y1, x2, y2 = map(float, info['bbox'][0])
        triples = np.concatenate([info['keypoints'][0], flags[:, None]], -1)
        parts = {'keypoints': triples}
        if self.skeleton.name != 'coco-17':
            indices = self.skeleton.indices
            parts = {key: triples[indices(group)] for key, group in _PARTS.items()}
        return {
            'id': info['id'],
            'image_id': info['img_id'],
            'category_id': 1,
            'iscrowd': 0,
            'area': float(info['area']),
            'bbox': [x1, y1, x2 - x1, y2 - y1],
            'num_keypoints': info['num_keypoints'],
            **{key: part.ravel().tolist() for key, part in parts.items()},
        }

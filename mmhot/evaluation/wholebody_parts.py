"""COCO-WholeBody's AP and AR, of the whole body and of its parts."""

from itertools import accumulate, pairwise

import numpy as np
from mmpose.evaluation.metrics import CocoWholeBodyMetric
from mmpose.registry import METRICS
from xtcocotools.cocoeval import COCOeval

_STATISTICS = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)')
_STATISTICS += tuple(name.replace('AP', 'AR') for name in _STATISTICS)


@METRICS.register_module()
class CocoWholeBodyPartsMetric(CocoWholeBodyMetric):
    """MMPose's metric, which prints the parts' values but returns the whole body's.

    Adds ``body/AP``, ``foot/AP``, ``face/AP``, ``lefthand/AP``, ``righthand/AP`` and
    their AR; ``hand/AP`` and ``hand/AR`` are means of both hands. The keys without a
    part, such as ``AP``, are the whole body's. Arguments are those of
    :class:`mmpose.evaluation.CocoWholeBodyMetric`.
    """

    def _do_python_keypoint_eval(self, outfile_prefix: str) -> list[tuple[str, float]]:
        """Return names and values, from the results that were written to a file."""
        detected = self.coco.loadRes(f'{outfile_prefix}.keypoints.json')
        values = {}
        for part, joints in self._parts().items():
            sigmas = np.asarray(self.dataset_meta['sigmas'])[joints]
            evaluation = COCOeval(
                self.coco, detected, f'keypoints_{part}', sigmas, self.use_area
            )
            evaluation.params.useSegm = None
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            found = dict(zip(_STATISTICS, map(float, evaluation.stats), strict=True))
            if part == 'wholebody':
                values |= found
            else:
                values |= {f'{part}/{name}': found[name] for name in ('AP', 'AR')}
        for name in ('AP', 'AR'):
            hands = values[f'lefthand/{name}'], values[f'righthand/{name}']
            values[f'hand/{name}'] = sum(hands) / 2
        return list(values.items())

    def _parts(self) -> dict[str, slice]:
        """Return the joints of each part, by xtcocotools' name of it."""
        sizes = dict(
            body=self.body_num,
            foot=self.foot_num,
            face=self.face_num,
            lefthand=self.left_hand_num,
            righthand=self.right_hand_num,
        )
        ends = pairwise(accumulate(sizes.values(), initial=0))
        parts = {part: slice(*span) for part, span in zip(sizes, ends, strict=True)}
        return parts | {'wholebody': slice(None)}

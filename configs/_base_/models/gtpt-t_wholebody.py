# GTPT-T as released, for the keypoints of COCO-WholeBody.
_base_ = ['gtpt-t.py']

model = dict(
    head=dict(
        out_channels=133,
        keep_rates=(1.0, 0.7, 0.5, 0.3),
        skeleton='coco-wholebody-133',
        groups=(
            ('head', 'face'),
            ('upper_body', 'left_hand', 'right_hand'),
            ('lower_body', 'left_foot', 'right_foot'),
        ),
    ),
)

# The weights mmhot://gtpt-t_coco17_synth: how they were trained, and what their scores
# mean, fitted on val_00 by tools/evaluate_2d.py --fit-confidence.
_base_ = './gtpt_t_1xb32-6e_rendered-192x144.py'

model = dict(
    test_cfg=dict(
        score_curve=(
            (0.0, 0.151, 0.282, 0.395, 0.49, 0.569, 0.636, 0.701, 0.795, 1.0),
            (0.0, 0.479, 0.792, 0.925, 0.968, 0.981, 0.989, 0.995, 1.0, 1.0),
        )
    ),
)

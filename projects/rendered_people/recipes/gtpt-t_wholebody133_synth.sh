#!/usr/bin/env bash
# Training of mmhot/weights/gtpt-t_wholebody133_synth.pth, from work_dirs/wider of
# projects/rendered_people/recipes/gtpt-t_coco17_synth.sh.
set -euo pipefail
export PYTHONPATH=$PWD  # run from the repository's root

FIRST="train_dataloader.dataset.ann_file=[$(printf rendered_people/train/train_0%s.npz, 0 1 2 3 4 5 6 7 8)scenery/train.npz]"
MORE="${FIRST%scenery*}$(printf people/people_seed0_0%s.npz, 0 1 2 3 4 5 6)scenery/train.npz]"
OTHERS="$(printf people/images_seed2_0%s.npz, 0 1 2 3)$(printf people/people_seed3_0%s.npz, 0 1)scenery/train.npz]"
WHOLE=projects/rendered_people/configs/gtpt-t_1xb32-10e_rendered-wholebody-192x144.py
python tools/train.py $WHOLE --amp --work-dir work_dirs/first --cfg-options load_from=work_dirs/wider/epoch_3.pth \
    train_cfg.max_epochs=2 param_scheduler.1.T_max=2 param_scheduler.0.end=200 custom_hooks.3.end=1 randomness.seed=53 "$MORE"
AGAIN="param_scheduler.0.end=50 optim_wrapper.optimizer.lr=8e-4 custom_hooks.3.factor=1.0"
# Stopped after the first of three epochs.
python tools/train.py $WHOLE --amp --work-dir work_dirs/second --cfg-options load_from=work_dirs/first/epoch_2.pth \
    train_cfg.max_epochs=3 param_scheduler.1.T_max=3 randomness.seed=91 $AGAIN param_scheduler.0.end=100 \
    "train_dataloader.dataset.ann_file=[$(printf rendered_people/train/train_0%s.npz, 1 2 8)$OTHERS"
python tools/train.py $WHOLE --amp --work-dir work_dirs/third --cfg-options load_from=work_dirs/second/epoch_1.pth \
    train_cfg.max_epochs=2 param_scheduler.1.T_max=2 randomness.seed=93 $AGAIN model.head.guidance.weight=0.001 \
    "train_dataloader.dataset.ann_file=[$(printf rendered_people/train/train_0%s.npz, 2 6 8)$OTHERS"
python tools/train.py $WHOLE --amp --work-dir work_dirs/fourth --cfg-options load_from=work_dirs/third/epoch_2.pth \
    train_cfg.max_epochs=2 param_scheduler.1.T_max=2 randomness.seed=97 $AGAIN model.head.guidance.weight=0.001 \
    "train_dataloader.dataset.ann_file=[$(printf rendered_people/train/train_0%s.npz, 2 6 8)$(printf people/whole/images_seed%s.npz, 5_00 5_01 5_02 5_03 4_00 4_01)$(printf people/people_seed3_0%s.npz, 0 1)scenery/train.npz]"
python tools/publish_model.py work_dirs/fourth/epoch_2.pth gtpt-t_wholebody133_synth.pth \
    --mean-with work_dirs/third/epoch_2.pth --share 0.7 --half --config configs/wholebody_2d_keypoint/gtpt/rendered/gtpt-t_wholebody133_synth.py

#!/usr/bin/env bash
# Training of mmhot/weights/rtmdet-nano_person_synth.pth. The argument is a copy of the
# config for the last round, see below.
#
#   tools/recipes/rtmdet-nano_person_synth.sh COPY.py
set -euo pipefail

CONFIG=configs/detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320.py
# With only the first four folders of the config.
python tools/train.py $CONFIG --amp --work-dir work_dirs/nano
# With only the other four folders, in both rounds.
python tools/train.py $CONFIG --amp --work-dir work_dirs/more --cfg-options load_from=work_dirs/nano/epoch_12.pth \
    train_cfg.max_epochs=7 param_scheduler.1.T_max=7 param_scheduler.0.end=100 optim_wrapper.optimizer.lr=1.5e-3 \
    randomness.seed=71
python tools/train.py $CONFIG --amp --work-dir work_dirs/again --cfg-options load_from=work_dirs/more/epoch_7.pth \
    train_cfg.max_epochs=11 param_scheduler.1.T_max=11 param_scheduler.0.end=100 optim_wrapper.optimizer.lr=1.5e-3 \
    randomness.seed=92
# A copy of the config whose folders are images_seed5_00 to _03 and
# images_seed4_00 and _01.
COPY=$1
python tools/train.py $COPY --amp --work-dir work_dirs/last --cfg-options load_from=work_dirs/again/epoch_11.pth \
    train_cfg.max_epochs=6 param_scheduler.1.T_max=6 param_scheduler.0.end=100 optim_wrapper.optimizer.lr=1.2e-3 randomness.seed=99
python tools/publish_model.py work_dirs/last/epoch_6.pth rtmdet-nano_person_synth.pth --half --config $CONFIG

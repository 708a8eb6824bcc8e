#!/usr/bin/env bash
# Training of mmhot/weights/rtmdet-nano_person_synth.pth. The argument is a copy of the
# config for the fourth round, the second a folder, see below.
#
#   projects/rendered_people/recipes/rtmdet-nano_person_synth.sh COPY.py SHARE
set -euo pipefail
export PYTHONPATH=$PWD  # run from the repository's root

SHIPPED=configs/detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320.py
CONFIG=projects/rendered_people/configs/rtmdet-nano_1xb32-12e_rendered-scenes-320x320.py
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
COPY=$1 SHARE=$2
python tools/train.py $COPY --amp --work-dir work_dirs/last --cfg-options load_from=work_dirs/again/epoch_11.pth \
    train_cfg.max_epochs=6 param_scheduler.1.T_max=6 param_scheduler.0.end=100 optim_wrapper.optimizer.lr=1.2e-3 randomness.seed=99
python tools/publish_model.py work_dirs/last/epoch_6.pth work_dirs/last/half.pth --half --config $SHIPPED
# Scenes with models of objects; the eighth shard was kept back. SHARE is the folder
# usr/share of Debian's sweethome3d-furniture and blender-data, unpacked.
python -m projects.rendered_people.render data/scenes --whole-images --people 400 --shards 14 --workers 2 --seed 61 --motions data/cmu_mocap/*.npz \
    --panoramas pmndrs-assets-1.7.0.tgz "$SHARE/blender/datafiles/studiolights/world" \
    --models "$SHARE"/sweethome3d/furniture/{BlendSwap-CC-0,BlendSwap-CC-BY,KatorLegaz,Scopia}.sh3f --without-clips S02/ S85/ \
    --without-panoramas city lobby warehouse park --objects 0.85 --tables 0.14 --close 0.2 --steep 0.06 --lying 0.07 --acrobatic 0.08 \
    --behind 0.15 --groups 0.3 --decoys 0.35 --cutouts 0.3
rm -r data/scenes/images_seed61_07
python -m projects.rendered_people.join_scenes data/scenes
python tools/train.py projects/rendered_people/configs/rtmdet-nano_1xb128-minutes_rendered-512x512.py --no-validate \
    --work-dir work_dirs/models --cfg-options load_from=work_dirs/last/half.pth model.backbone.frozen_stages=1 custom_hooks.4.minutes=58 \
    train_dataloader.batch_size=32 train_dataloader.num_workers=1 train_dataloader.sampler.num_samples=3200 optim_wrapper.optimizer.lr=1.5e-3 \
    randomness.seed=61
python tools/publish_model.py work_dirs/models/final.pth work_dirs/models/mean.pth --mean-with work_dirs/last/half.pth --share 0.7 \
    --half --config $SHIPPED
# Close-ups, groups and tables, 50 people per shard of ordinary scenes beside them. data/near got all of these images, those of far
# and empty ones twice: 100 of rooms (scenes._EMPTY = 1.0) and 100 views of the panoramas. They are in one folder.
COMMON=(--whole-images --motions data/cmu_mocap/*.npz --panoramas pmndrs-assets-1.7.0.tgz "$SHARE/blender/datafiles/studiolights/world"
    --models "$SHARE"/sweethome3d/furniture/{BlendSwap-CC-0,BlendSwap-CC-BY,KatorLegaz,Scopia}.sh3f --without-clips S02/ S85/
    --without-panoramas city lobby warehouse park --objects 0.85 --steep 0.06 --decoys 0.35 --cutouts 0.3)
python -m projects.rendered_people.render data/near "${COMMON[@]}" --people 300 --shards 7 --seed 131 --tables 0.3 --close 0.4 --lying 0.05 \
    --acrobatic 0.06 --behind 0.2 --groups 0.5
python -m projects.rendered_people.render data/near "${COMMON[@]}" --people 50 --shards 12 --seed 331 --tables 0.06 --close 0.06 --lying 0.07 \
    --acrobatic 0.08 --behind 0.15 --groups 0.3
python -m projects.rendered_people.join_scenes data/near
# Ten epochs of 32 steps on an H100, four minutes; its photometric effects were of the same kinds, with OpenCV alone. Mosaics, which no
# other training has: CachedMosaic of prob=0.25 before RandomResize.
python tools/train.py projects/rendered_people/configs/rtmdet-nano_1xb128-minutes_rendered-512x512.py --no-validate \
    --work-dir work_dirs/near --cfg-options load_from=work_dirs/models/mean.pth custom_hooks.4.minutes=3.9 train_dataloader.num_workers=15 \
    train_dataloader.sampler.num_samples=4096 train_dataloader.dataset.data_root=data/near/ optim_wrapper.optimizer.lr=2e-3
python tools/publish_model.py work_dirs/near/final.pth rtmdet-nano_person_synth.pth --mean-with work_dirs/models/mean.pth --share 0.7 \
    --half --config $SHIPPED

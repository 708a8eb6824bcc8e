#!/usr/bin/env bash
# GTPT-T for 17 keypoints and the person detector from random weights, with data that
# this repository renders alone. Repeated after an interruption, it continues: shards
# and checkpoints that are there are kept.
#
#   npm pack @pmndrs/assets@1.7.0
#   projects/rendered_people/train_from_scratch.sh WORK pmndrs-assets-1.7.0.tgz cmu_h36m17.npz cmu_h36m17_more.npz
#
# SHARDS (10) of each of four kinds of data have PEOPLE (2500) crops or a sixth as many
# scenes, with BODIES (320) shapes; PEOPLE is also the number of backgrounds, and of
# people in one more shard, whose motions and panoramas are not trained on, that
# calibrates the scores. CORES (2) render. EPOCHS (20), a third of it and a third again
# are those of the stages of growing image size, PARTS (64) of PART (2048) people those
# of the last; MINUTES (390) is the detector's time, BATCH (32) its images per step.
# MODELS, if given, are libraries of Sweet Home 3D's models (.sh3f), separated by spaces.
set -euo pipefail
export PYTHONPATH=$PWD  # run from the repository's root
WORK=$1 PANORAMAS=$2 MOTIONS=("${@:3}")
SHARDS=${SHARDS:-10} PEOPLE=${PEOPLE:-2500} BODIES=${BODIES:-320} CORES=${CORES:-2} EPOCHS=${EPOCHS:-20} PARTS=${PARTS:-64} PART=${PART:-2048} MINUTES=${MINUTES:-390} BATCH=${BATCH:-32}
read -ra MODELS <<< "${MODELS:-}"
HELD_OUT=(city lobby warehouse park)
TRAINED=(apartment bridge dawn esplanade forest hall lab night sky studio sunrise sunset venice workshop)
WORK=$(mkdir -p "$WORK" && cd "$WORK" && pwd)
DATA=$WORK/data
mkdir -p "$DATA/crops"

render() { # FOLDER SEED PEOPLE OPTIONS...
    python -m projects.rendered_people.render "$DATA/$1" --seed "$2" --people "$3" --motions "${MOTIONS[@]}" --panoramas "$PANORAMAS" \
        --bodies "$BODIES" --workers "$CORES" ${MODELS:+--models "${MODELS[@]}"} "${@:4}"
}
SPLIT=(--shards "$SHARDS" --without-clips S02/ S85/ --without-panoramas "${HELD_OUT[@]}")

render people 1 "$PEOPLE" "${SPLIT[@]}"
render people 2 "$PEOPLE" "${SPLIT[@]}" --acrobatic 0.35 --lying 0.15 --tables 0.28 --close 0.2 --steep 0.12 --behind 0.2 --groups 0.2 --objects 0.4
render people 3 "$PEOPLE" "${SPLIT[@]}" --acrobatic 0.08 --lying 0.05 --tables 0.3 --close 0.25 --steep 0.1 --behind 0.3 --groups 0.4 --objects 0.4
render scenes 4 $(((PEOPLE + 5) / 6)) "${SPLIT[@]}" --whole-images --objects 0.6 --cutouts 0.4 --acrobatic 0.08 --lying 0.07 --tables 0.16 \
    --close 0.2 --steep 0.06 --behind 0.15 --groups 0.3 --decoys 0.4
render held_out 5 "$PEOPLE" --only-clips S02/ S85/ --without-panoramas "${TRAINED[@]}"
[ -e "$DATA/crops/scenery.npz" ] || python -m projects.rendered_people.pack_scenery "$PANORAMAS" "$DATA/crops/scenery.npz" --count "$PEOPLE" --without "${HELD_OUT[@]}"
for scenes in "$DATA"/scenes/*/annotations.json; do
    folder=${scenes%/*}
    packed=$DATA/crops/$(basename "$folder").npz
    [ -e "$packed" ] || python -m projects.rendered_people.pack_people "$scenes" "$folder/images" "$packed" --whole --min-height 70
done

CONFIGS=projects/rendered_people/configs
SHIPPED=configs/body_2d_keypoint/gtpt/rendered/gtpt-t_coco17_synth.py
CROPS=("$DATA"/crops/*.npz "$DATA"/people/people_*.npz)
stage() { # NAME CONFIG EPOCHS BEFORE OPTIONS...
    local files
    files=$(printf '%s,' "${CROPS[@]}")
    python tools/train.py "$CONFIGS/$2" --amp --no-validate --resume --work-dir "$WORK/$1" --cfg-options "load_from=$4" \
        "train_cfg.max_epochs=$3" "param_scheduler.1.T_max=$3" train_dataloader.dataset.data_root= \
        "train_dataloader.dataset.ann_file=[${files%,}]" "${@:5}"
}
MIDDLE=$(((EPOCHS + 2) / 3)) LARGE=$(((EPOCHS + 8) / 9))
stage small gtpt-t_1xb32-20e_rendered-128x96.py "$EPOCHS" None
stage middle gtpt-t_1xb32-6e_rendered-192x144.py "$MIDDLE" "$WORK/small/epoch_$EPOCHS.pth" custom_hooks.3.factor=1.0
stage large gtpt-t_1xb32-30e_rendered-256x192.py "$LARGE" "$WORK/middle/epoch_$MIDDLE.pth" custom_hooks.3.factor=1.0 \
    model.head.loss.entire_weight=0.0 model.head.loss.distill_weight=0.0
python -m projects.rendered_people.train_2d "$WORK" --name wide --shards "${CROPS[@]}" --start "$WORK/large/epoch_$LARGE.pth" --epochs "$PARTS" \
    --part "$PART" --rate 8e-4 --workers "$CORES"
configure() { # NAME SCORE_CURVE
    printf "_base_ = '%s'\nmodel = dict(test_cfg=dict(score_curve=%s))\n" "$PWD/$SHIPPED" "$2" > "$WORK/$1.py"
}
configure uncalibrated None
CURVE=$(python -m projects.rendered_people.evaluate_2d --pose2d "$WORK/uncalibrated.py" --pose2d-weights "$WORK/wide/epoch_$PARTS.pth" --fit-confidence \
    --dataset RenderedPeopleDataset "$DATA/held_out/people_seed5_00.npz" . | tee "$WORK/held_out.txt" | sed -n 's/^score_curve=//p')
configure gtpt-t_coco17 "$CURVE"
python tools/publish_model.py "$WORK/wide/epoch_$PARTS.pth" "$WORK/gtpt-t_coco17.pth" --half --config "$WORK/gtpt-t_coco17.py"

python -m projects.rendered_people.join_scenes "$DATA/scenes"
DETECTOR=projects/rendered_people/configs/rtmdet-nano_1xb128-minutes_rendered-512x512.py
[ -e "$WORK/detector/final.pth" ] || python tools/train.py $DETECTOR --no-validate --resume --work-dir "$WORK/detector" --cfg-options \
    "custom_hooks.4.minutes=$MINUTES" "train_dataloader.batch_size=$BATCH" "train_dataloader.num_workers=$CORES" \
    "train_dataloader.dataset.data_root=$DATA/scenes/" "train_dataloader.sampler.num_samples=$((2 * PART))" optim_wrapper.optimizer.lr=2e-3
python tools/publish_model.py "$WORK/detector/final.pth" "$WORK/rtmdet-nano_person.pth" --half \
    --config configs/detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320.py

#!/usr/bin/env bash
# The last round of the shipped 2D model and detector: short trainings on annotated
# photos, half and half with rendered people, and the mean of all their weights. A
# single one is as good as the luck of its seed; none is picked.
#
#   train_on_photos.sh WORK PHOTOS SCENES CROPS.npz...
#
# PHOTOS and SCENES are folders with annotations.json and images/, the latter rendered
# with --whole-images; CROPS are rendered shards. SEEDS (8) trainings of each model,
# JOBS (1) at once with WORKERS (0) loading images, go through STEPS (100 90) batches.
set -euo pipefail
export PYTHONPATH=${PYTHONPATH:+$PYTHONPATH:}$PWD  # run from the repository's root
WORK=$1 PHOTOS=$(realpath "$2") SCENES=$(realpath "$3") CROPS=("${@:4}")
SEEDS=${SEEDS:-8} JOBS=${JOBS:-1} WORKERS=${WORKERS:-0}
read -r POSE_STEPS BOX_STEPS <<< "${STEPS:-100 90}"
mkdir -p "$WORK/scenes"
ln -sfn "$PHOTOS" "$WORK/scenes/photos"
ln -sfn "$SCENES" "$WORK/scenes/rendered"
[ -e "$WORK/photos.npz" ] || python3 -m projects.rendered_people.pack_people "$PHOTOS/annotations.json" "$PHOTOS/images" \
    "$WORK/photos.npz" --size 384 512 --padding 2
python3 -m projects.rendered_people.join_scenes "$WORK/scenes"

pose() { # SEED
    python3 -m projects.rendered_people.train_2d "$WORK" --name "pose_$1" --seed "$1" --shards "${CROPS[@]}" \
        --photos "$WORK/photos.npz" --start mmhot://gtpt-t_coco17_synth --epochs 4 --part $((POSE_STEPS * 8)) --workers "$WORKERS"
}

boxes() { # SEED
    python3 -m tools.train projects/rendered_people/configs/rtmdet-nano_1xb32-photos_rendered-512x512.py --no-validate --resume \
        --work-dir "$WORK/boxes_$1" --cfg-options load_from=mmhot/weights/rtmdet-nano_person_synth.pth "randomness.seed=$1" \
        "train_dataloader.dataset.data_root=$WORK/scenes/" "train_dataloader.sampler.num_samples=$((BOX_STEPS * 32 / 3))" \
        "train_dataloader.num_workers=$WORKERS" "train_dataloader.persistent_workers=$([ "$WORKERS" = 0 ] && echo False || echo True)"
}

mean() { # CHECKPOINTS... CONFIG NAME
    local files=("${@:1:$#-2}") config=${*: -2:1} name=${*: -1}
    ((${#files[@]} == SEEDS)) || { echo "${#files[@]} of $SEEDS trainings ended, see the logs in $WORK" >&2; return 1; }
    python3 -m tools.publish_model "${files[0]}" "$WORK/$name.pth" --mean-with "${files[@]:1}" --half --config "$config"
}

for kind in pose boxes; do
    for ((seed = 1; seed <= SEEDS; seed++)); do
        while (($(jobs -rp | wc -l) >= JOBS)); do wait -n || true; done
        "$kind" "$seed" &> "$WORK/${kind}_$seed.log" &
    done
done
wait || true
mean "$WORK"/pose_*/epoch_4.pth configs/body_2d_keypoint/gtpt/rendered/gtpt-t_coco17_synth.py gtpt-t_coco17_synth
mean "$WORK"/boxes_*/epoch_3.pth configs/detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320.py rtmdet-nano_person_synth

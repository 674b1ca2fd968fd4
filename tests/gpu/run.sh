#!/usr/bin/env bash
# Measures what only a GPU can show, on a machine that is lent for minutes and has no network.
#
#   tests/gpu/run.sh [--device cuda|cpu] [--limit SECONDS] [--with FILE] OUT [STEP ...]
#   tests/gpu/run.sh --list
#
# Runs the steps named, or the default ones, in order (the most valuable first), each within its own
# time limit and all within --limit (360 s). One that fails or is cut never stops the others; exit 1
# when one did. `--device cpu` rehearses every step with tiny models, in three times the limits.
# `--with FILE` sources a file of bash that adds steps. OUT then holds summary.txt, summary.json and, each below 16 MiB and renewed
# after every step, logs.tar.gz, results.tar.gz (one run a step) and pages.tar.gz.
#
# Bring along what the machine lacks of pyproject.toml's dependencies, as wheels (for Python 3.12 on
# x86-64; only what is missing is unpacked, beside the checkout's code and nowhere else):
#
#   pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
#       --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
#       --platform manylinux2014_x86_64 -c constraints.txt -d tests/gpu/wheels ruptures
#
# torch 2.11, transformers 5.17, nvidia-ml-py, pytest and the rest are expected there.
set -uo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
PYTHON=${PYTHON:-python3}
GRACE=15  # seconds in which a step that is cut writes down what it has
SKIPPED=77

device=cuda limit="" more="" list=""
usage() { echo "run.sh: $1 (usage: run.sh [--device cuda|cpu] [--limit SECONDS] [--with FILE] OUT [STEP ...])" >&2; exit 2; }
while [[ ${1:-} == --* ]]; do
    case $1 in
        --list) list=yes; shift; continue ;;
        --device | --limit | --with) [[ $# -ge 2 ]] || usage "$1 needs a value" ;;
        *) usage "no option $1" ;;
    esac
    case $1 in
        --device) device=$2 ;;
        --limit) limit=$2 ;;
        --with) more=$2 ;;
    esac
    shift 2
done
[[ $device == cuda || $device == cpu ]] || usage "--device is $device: give cuda or cpu"
slower=1
[[ $device == cuda ]] || slower=3  # a rehearsal shares its cores with others
limit=${limit:-$((360 * slower))}
[[ $limit =~ ^[1-9][0-9]{0,5}$ ]] || usage "--limit is $limit: give whole seconds"
[[ -z $more || -r $more ]] || usage "--with is $more: no such file"

# --- The steps: a name, its limit in seconds, and a function step_NAME -----------------------------
declare -A LIMIT=()
ORDER=()    # run by default
ON_DEMAND=() # run when named
add() { ORDER+=("$1"); LIMIT[$1]=$2; }
on_demand() { ON_DEMAND+=("$1"); LIMIT[$1]=$2; }

skip() { echo "skipped: $*"; exit "$SKIPPED"; }
bench() { "$PYTHON" -m bench "$@"; }
# measure NAME ARGUMENT...: a run of both models (or those named), kept under the step's name
measure() {
    local name=$1
    shift
    bench run "$@" --device "$DEVICE" --weights random --output "$WORK/results/$name"
}
repeated() { local option=$1 value; shift; for value in "$@"; do printf '%s\n' "$option" "$value"; done; }

add facts 25
step_facts() {
    uname -srm
    command -v gcc g++ cc nvcc
    if command -v nvidia-smi; then nvidia-smi; nvidia-smi -q -d CLOCK,POWER,TEMPERATURE,PERFORMANCE,ECC; fi
    "$PYTHON" "$HERE/kit.py" facts "$DEVICE"
}

add doctor 20
step_doctor() { bench doctor; }

add cuda_tests 120
step_cuda_tests() { run_pytest -k "not energy"; }
run_pytest() {
    cd "$ROOT" || return
    # Warnings of a torch that the project does not pin are no failures here.
    "$PYTHON" -m pytest -v -W default -p no:cacheprovider --durations 0 tests/worker/test_cuda.py "$@"
}

add float32 110
step_float32() {
    measure float32 parameters throughput $(models) --dtype float32 $(load 1 8 64) $(sampling 3)
}

add memory 50
step_memory() { measure memory memory $(models) $(load 8) $(sampling 3); }

add crosscheck 60
step_crosscheck() {
    [[ $DEVICE == cuda ]] || export CXX=none  # compiling is rehearsed by the variants
    bench crosscheck --device "$DEVICE" --threads 1 $(models | tail -n 2)
}

add selftest 60
step_selftest() { bench selftest --device "$DEVICE"; }

add half 90
step_half() {
    local dtypes=(bfloat16 float16)
    [[ $DEVICE == cuda ]] || dtypes+=(float32)  # a CPU without 16-bit instructions skips the others
    measure half throughput $(models) $(repeated --dtype "${dtypes[@]}") $(load 64) $(sampling 3)
}

add cold_l2 60
step_cold_l2() {
    [[ $DEVICE == cuda ]] || skip "only a CUDA device has a mode with a cold L2"
    measure cold_l2 throughput $(models) --cache cold-l2 $(load 1 64) $(sampling 3)
}

add energy 40
step_energy() { run_pytest -k energy; }

add variants 110
step_variants() {
    measure variants variants $(models | tail -n 2) --backend torch --attention eager \
        --attention sdpa --attention flash --compile none --compile default \
        --compile reduce-overhead $(load 1) $(sampling 3)
}

add capacity 75
step_capacity() {
    local most=700MB
    [[ $DEVICE == cuda ]] || most=1MB  # not even one sequence fits: an answer, in one try
    measure capacity capacity $(models | head -n 2) --memory-limit $most $(lengths 512)
    local code=$?
    [[ $DEVICE == cpu && $code == 3 ]] && return 0  # nothing measured, as it must be
    return $code
}

on_demand max_autotune 200
step_max_autotune() {
    measure max_autotune variants $(models | tail -n 2) --backend torch --compile max-autotune \
        $(load 1) $(sampling 3)
}

on_demand capacity_whole 300
step_capacity_whole() {
    [[ $DEVICE == cuda ]] || skip "a CPU's memory has no limit of its own"
    measure capacity_whole capacity $(models) $(lengths 512)
}

add page 40
step_page() {
    local runs
    runs=$(find "$WORK/results" -name summary.csv -printf '%h\n' 2>/dev/null | sort)
    [[ $runs ]] || skip "no step has left a run"
    bench report $runs --output "$WORK/reports/all"
}

# What a run measures: full-size models on a GPU, tiny ones and as little as can be in a rehearsal.
models() {
    if [[ $DEVICE == cuda ]]; then
        repeated --model bert-base-uncased albert-base-v2
    else
        repeated --model "$WORK/models/bert" "$WORK/models/albert"
    fi
}
load() { if [[ $DEVICE == cuda ]]; then repeated --batch-size "$@"; else repeated --batch-size 1; fi; lengths 128; }
lengths() { if [[ $DEVICE == cuda ]]; then repeated --seq-len "$1"; else repeated --seq-len 16; fi; }
sampling() { if [[ $DEVICE == cuda ]]; then echo "--processes $1 --budget $1"; else echo "--processes 1 --budget 0.2 --threads 1"; fi; }
# --------------------------------------------------------------------------------------------------

# shellcheck source=/dev/null
[[ -z $more ]] || source "$more"
if [[ $list ]]; then
    for name in "${ORDER[@]}"; do echo "$name ${LIMIT[$name]} s"; done
    for name in "${ON_DEMAND[@]}"; do echo "$name ${LIMIT[$name]} s, when named"; done
    exit 0
fi
[[ $# -ge 1 && -n $1 ]] || usage "no OUT"
mkdir -p "$1" || exit 2
OUT=$(cd "$1" && pwd)
shift
steps=("${@:-${ORDER[@]}}")
for name in "${steps[@]}"; do
    [[ ${LIMIT[$name]:-} ]] || usage "no step $name: choose from ${ORDER[*]} ${ON_DEMAND[*]}"
done

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
mkdir -p "$WORK"/{logs,results,reports,models/bert,models/albert,packages}
sizes='"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64'
echo "{\"model_type\": \"bert\", $sizes}" >"$WORK/models/bert/config.json"
echo "{\"model_type\": \"albert\", \"embedding_size\": 16, \"hidden_act\": \"gelu_new\", $sizes}" >"$WORK/models/albert/config.json"
DEVICE=$device
export HERE ROOT PYTHON WORK DEVICE SKIPPED
export PYTHONPATH="$ROOT:$WORK/packages${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 COLUMNS=160
export -f skip bench measure repeated run_pytest models load lengths sampling
for name in "${!LIMIT[@]}"; do export -f "step_${name}"; done
cd "$WORK" || exit 2  # pages go to reports/ here

"$PYTHON" "$HERE/kit.py" provide "$HERE/wheels" "$WORK/packages" 2>&1 | tee "$WORK/logs/packages.log"
reserved=0
[[ " ${steps[*]} " != *" page "* ]] || reserved=$((LIMIT[page] * slower))  # what is measured shall be seen
failed=0
for name in "${steps[@]}"; do
    [[ $name != page ]] || reserved=0
    most=$((LIMIT[$name] * slower)) left=$((limit - reserved - SECONDS)) log=$WORK/logs/$name.log
    ((most <= left)) || most=$left
    began=$SECONDS code=""
    if ((most >= 1)); then
        echo "== $name (at most $most s)"
        # Into a file: what a step leaves running could hold a pipe open for ever.
        timeout --signal INT --kill-after $GRACE "$most" bash -c "step_$name" >"$log" 2>&1 </dev/null
        code=$?
        tail -n 15 "$log"
    else
        echo "no time was left for it" >"$log"
    fi
    printf '%s\t%s\t%s\n' "$name" "$code" $((SECONDS - began)) >>"$WORK/steps.tsv"
    [[ $code == 0 || $code == "$SKIPPED" ]] || failed=1
    "$PYTHON" "$HERE/kit.py" keep "$WORK" "$OUT" || failed=1
done
cat "$OUT/summary.txt"
exit $failed

#!/bin/sh
# Trains the bundled model on one GPU that can be had for some minutes at a time.
#
#   here:       models/tiny/gpu.sh pack WORK PACK    corpus and tokenizer, from recipe.py
#               carry models/tiny and PACK over, at most 64 MiB
#   there:      models/tiny/gpu.sh train PACK WORK OUT    ten minutes; again until it says "done"
#               bring OUT back: the weights and the log, in files of at most 16 MiB
#   here again: models/tiny/gpu.sh install WORK OUT  converts, checks, replaces the weights
#
# What follows OUT is handed to gpu.py (--minutes, --total, --layers, --width, --batch).
# PYTHON names the interpreter; it needs torch, and numpy; tokenizers where it makes fresh examples.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
what=$1
shift
case $what in
  pack) exec "$python" "$here/gpu.py" pack "$@" ;;
  train) exec "$python" "$here/gpu.py" train "$@" ;;
  install)
    mkdir -p "$1/run"
    "$python" "$here/gpu.py" join "$2" "$1/run/joined.pt"
    "$python" "$here/convert.py" "$1" --checkpoint "$1/run/joined.pt"
    "$python" "$here/check.py" "$1" --checkpoint "$1/run/joined.pt" --output "$1/report.json" \
      --figures "$1/figures.json"
    "$python" "$here/convert.py" "$1" --checkpoint "$1/run/joined.pt" --manifest "$here/../tiny.toml"
    ;;
  *) echo "pack, train or install" >&2; exit 2 ;;
esac

#!/bin/sh
# Fetch the Python bindings of TensorRT 10 and 11, without the libraries (gigabytes): tests/export/tensorrt/test_bindings.py
# then compares what Rangecast calls with what they have. 3 MB into build/tensorrt-bindings.
#
#   sh tools/fetch-tensorrt-bindings.sh
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
for version in 10.16.1.11 11.4.0.106; do
    folder=build/tensorrt-bindings/${version%%.*}
    rm -rf "$folder"
    "$python" -m pip install --quiet --no-deps --target "$folder" "tensorrt-cu13-bindings==$version"
    echo "$folder: TensorRT $version"
done

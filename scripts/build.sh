#!/usr/bin/env bash
# Configures and builds one preset: scripts/build.sh release|dev|ci|asan [cmake arguments].
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?usage: scripts/build.sh PRESET [cmake arguments]}
shift
launcher=()
if command -v ccache >/dev/null; then
  launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  # Precompiled headers and paths of a fresh clone must not spoil the cache.
  export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
  export CCACHE_BASEDIR=$PWD
  export CCACHE_NOHASHDIR=1
fi
cmake --preset "$preset" "${launcher[@]}" --log-level=WARNING "$@"
cmake --build --preset "$preset"

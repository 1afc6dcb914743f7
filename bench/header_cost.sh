#!/bin/sh
# How long the header takes that a plugin's author includes: seconds to compile a file that holds nothing
# else. The limit is 4 s. Usage: bench/header_cost.sh [header] [compiler]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
header=${1:-unmask/plugin.hpp}
compiler=${2:-${CXX:-c++}}
# Flags of the compilation database say where LibTorch is, wherever it is.
database=$(ls "$root"/build/*/compile_commands.json 2>/dev/null | head -n 1)
flags="-I$root/host/sdk/include"
if [ -n "$database" ]; then
  flags="$flags $(grep -o -e '-isystem [^ "]*' "$database" | sort -u | tr '\n' ' ')"
fi
if [ -d /usr/include/torch/csrc/api/include ]; then
  flags="$flags -isystem /usr/include/torch/csrc/api/include"
fi
source=$(mktemp --suffix=.cpp)
trap 'rm -f "$source" "$source.o"' EXIT
echo "#include \"$header\"" > "$source"
for run in 1 2 3; do
  start=$(date +%s.%N)
  # shellcheck disable=SC2086 -- the flags are words
  "$compiler" -std=c++20 -O2 -fPIC $flags -c "$source" -o "$source.o"
  end=$(date +%s.%N)
  echo "$header, run $run: $(echo "$end $start" | awk '{printf "%.2f", $1 - $2}') s"
done

#!/usr/bin/env bash
# clang-tidy over the C++ files that a change touches, or over all: scripts/tidy.sh [BASE | --all]
#
# BASE is a commit; without one, where this branch left main, or the last commit on main itself. For a changed header its
# own source or the first that includes it is looked at. Findings are errors (.clang-tidy). UNMASK_TIDY_MOST, by default 40, limits
# how many files are looked at; what is left out is said. Without clang-tidy nothing is looked at, which is said, too.
#
# --all looks at every file, the files of a room together, as they are compiled. CLANG_TIDY names another clang-tidy.
set -euo pipefail
cd "$(dirname "$0")/.."
tidy=${CLANG_TIDY:-clang-tidy}
if ! command -v "$tidy" >/dev/null; then
  echo "tidy: $tidy is not installed, so nothing was looked at (apt-get install clang-tidy)"
  exit 0
fi

# changed_sources BASE: committed or not; a header stands for a source that includes it.
changed_sources() {
  git diff --name-only --diff-filter=d "$1" -- 'host/*.[ch]pp' 'plugins/*.[ch]pp' 'tests/*.[ch]pp' |
    while read -r file; do
      if [[ $file == *.cpp ]]; then
        echo "$file"
      elif [ -e "${file%.hpp}.cpp" ]; then
        echo "${file%.hpp}.cpp"
      else
        name=$(sed -E 's#^(host/(sdk|kit)/include|host|tests)/##' <<<"$file")
        git grep -lF -e "\"$name\"" -e "\"$(basename "$file")\"" -- 'host/*.cpp' 'plugins/*.cpp' 'tests/*.cpp' |
          grep -v -e '^host/cli/templates/' -e '^tests/compile_fail/' | head -n 1 || true
      fi
    done | { grep -v -e '^host/cli/templates/' -e '^tests/compile_fail/' || true; } | sort -u
}

# configure FOLDER [cmake arguments]: what the compiler is told, without precompiled headers, which clang cannot read.
configure() {
  build=$1
  cmake --preset tidy -B "$build" --log-level=WARNING "${@:2}" >/dev/null
  commands=$build/compile_commands.json
}

# make_headers PATTERN: files include what their build makes.
make_headers() {
  local made
  made=$(grep -oE "^build [^ |:]*$1[^ |:]*\.hpp" "$build/build.ninja" | sed 's/^build //' | sort -u || true)
  [ -z "$made" ] || cmake --build "$build" --target $made >/dev/null
}

# The files of all commands (all), or of those without LibTorch (readable): clang refuses the headers of LibTorch 1.13 in C++20
# (a vector of a type that is not complete yet).
files_of_commands() {
  awk -v all="$1" '/"command":/ { torch = /\/torch\/csrc\/api\/include/ }
    /"file":/ && (!torch || all == "all") { sub(/.*"file": "/, ""); sub(/",?$/, ""); print }' "$commands" |
    sed "s#^$PWD/##" | sort -u
}
has_unreadable_torch() {
  local torch
  torch=$(grep -o -m 1 -- '-isystem [^ ]*/torch/csrc/api/include' "$commands" | head -n 1 | sed 's/-isystem //' || true)
  [ -n "$torch" ] && grep -q 'define TORCH_VERSION_MAJOR 1$' "$torch/torch/version.h"
}
only_readable() { # SOURCES
  has_unreadable_torch || { echo "$1"; return; }
  local readable left
  readable=$(comm -12 <(files_of_commands readable) <(sort -u <<<"$1"))
  left=$(comm -13 <(files_of_commands readable) <(sort -u <<<"$1") | wc -l)
  [ "$left" -eq 0 ] || echo "tidy: $left files with LibTorch are left out, since clang cannot read LibTorch 1.13; 2.x it can" >&2
  echo "$readable"
}

look() { # SOURCES [arguments of clang-tidy]
  [ -n "$1" ] || return 0
  xargs -P "$(nproc)" -n 1 "$tidy" --quiet --warnings-as-errors='*' "${@:2}" -p "$build" <<<"$1"
}

if [ "${1:-}" = --all ]; then
  configure build/tidy-all -DUNMASK_UNITY=ON
  make_headers ""
  sources=$(only_readable "$(files_of_commands all)")
  echo "tidy: $(wc -l <<<"$sources") units of compilation"
  look "$sources" --checks=-bugprone-suspicious-include  # a unit includes its files
  exit
fi

base=${1:-}
if [ -z "$base" ]; then
  for main in origin/main main; do
    base=$(git merge-base HEAD "$main" 2>/dev/null) && break
  done
  [ "$base" != "$(git rev-parse HEAD)" ] || base=HEAD~1
fi
if ! git rev-parse --quiet --verify "$base^{commit}" >/dev/null; then
  echo "tidy: there is no commit \"$base\" to compare with, so nothing was looked at; give one: scripts/tidy.sh BASE"
  exit 0
fi
sources=$(changed_sources "$base")
if [ -z "$sources" ]; then
  echo "tidy: no C++ file differs from $base"
  exit 0
fi
count=$(wc -l <<<"$sources")
most=${UNMASK_TIDY_MOST:-40}
if [ "$most" -eq 0 ]; then
  echo "tidy: UNMASK_TIDY_MOST=0, so none of $count files was looked at"
  exit 0
fi
configure build/tidy-change
sources=$(only_readable "$sources")
[ -n "$sources" ] || exit 0
count=$(wc -l <<<"$sources")
if [ "$count" -gt "$most" ]; then
  echo "tidy: $((count - most)) of $count files are left out (UNMASK_TIDY_MOST=$most): scripts/tidy.sh --all looks at all"
  sources=$(head -n "$most" <<<"$sources")
fi
while read -r file; do make_headers "$(dirname "$file")/"; done <<<"$sources"
echo "tidy: $(wc -l <<<"$sources") files that differ from $base"
look "$sources"

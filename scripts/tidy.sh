#!/usr/bin/env bash
# clang-tidy over the C++ files that a change touches: scripts/tidy.sh [BASE]
#
# BASE is a commit; without one, where this branch left main, or the last commit on main itself. For a changed header its
# own source or the first that includes it is looked at. Findings are errors (.clang-tidy). UNMASK_TIDY_MOST, by default 40, limits
# how many files are looked at; what is left out is said. Without clang-tidy nothing is looked at, which is said, too.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v clang-tidy >/dev/null; then
  echo "tidy: clang-tidy is not installed, so nothing was looked at (apt-get install clang-tidy)"
  exit 0
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

# Committed or not; a header stands for a source that includes it.
sources=$(git diff --name-only --diff-filter=d "$base" -- 'host/*.[ch]pp' 'plugins/*.[ch]pp' 'tests/*.[ch]pp' |
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
  done | { grep -v -e '^host/cli/templates/' -e '^tests/compile_fail/' || true; } | sort -u)
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
if [ "$count" -gt "$most" ]; then
  echo "tidy: $((count - most)) of $count files are left out (UNMASK_TIDY_MOST=$most): scripts/build.sh tidy looks at all"
  sources=$(head -n "$most" <<<"$sources")
fi

# What the compiler is told, without precompiled headers, which clang cannot read.
build=build/tidy-change
cmake --preset tidy -B "$build" --log-level=WARNING -DCMAKE_CXX_CLANG_TIDY= >/dev/null
# Plugins include what their build makes.
made=$(while read -r file; do
  grep -oE "^build [^ |:]*$(dirname "$file")/[^ |:]*unmask_fingerprint\.hpp" "$build/build.ninja" || true
done <<<"$sources" | sed 's/^build //' | sort -u)
if [ -n "$made" ]; then cmake --build "$build" --target $made >/dev/null; fi

# clang refuses the headers of LibTorch 1.13 in C++20 (a vector of a type that is not complete yet).
commands=$build/compile_commands.json
torch=$(grep -o -m 1 -- '-isystem [^ ]*/torch/csrc/api/include' "$commands" | head -n 1 | sed 's/-isystem //' || true)
if [ -n "$torch" ] && grep -q 'define TORCH_VERSION_MAJOR 1$' "$torch/torch/version.h"; then
  readable=$(awk '/"command":/ { torch = /\/torch\/csrc\/api\/include/ }
    /"file":/ && !torch { sub(/.*"file": "/, ""); sub(/",?$/, ""); print }' "$commands" | sed "s#^$PWD/##" | sort -u)
  left=$(comm -13 <(echo "$readable") <(sort -u <<<"$sources") | wc -l)
  sources=$(comm -12 <(echo "$readable") <(sort -u <<<"$sources"))
  [ "$left" -eq 0 ] || echo "tidy: $left files with LibTorch are left out, since clang cannot read LibTorch 1.13; 2.x it can"
  [ -n "$sources" ] || exit 0
fi

echo "tidy: $(wc -l <<<"$sources") files that differ from $base"
xargs -P "$(nproc)" -n 1 clang-tidy --quiet --warnings-as-errors='*' -p "$build" <<<"$sources"

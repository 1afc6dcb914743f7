#!/usr/bin/env bash
# The README's two commands in a bare Debian: tests/fresh/in_debootstrap.sh bookworm|trixie [FOLDER]
#
# Makes a minimal root with debootstrap in FOLDER (default: a new temporary one, removed afterwards; an existing
# root is used again), clones the committed state of this repository into it, and runs scripts/quickstart.sh and
# scripts/test.sh there as root with an empty environment. Needs root and debootstrap. UNMASK_FRESH_CCACHE names
# a folder to share as compiler cache between runs; UNMASK_FRESH_STEPS may name only one of "quickstart test".
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/bare_root.sh"
make_root "${1:?usage: in_debootstrap.sh bookworm|trixie [FOLDER]}" "${2:-}"

if [ -n "${UNMASK_FRESH_CCACHE:-}" ]; then
  mkdir -p "$UNMASK_FRESH_CCACHE" "$root/ccache"
  mount --bind "$UNMASK_FRESH_CCACHE" "$root/ccache"
  mounts+=("$root/ccache")
  environment+=(CCACHE_DIR=/ccache)
fi

rm -rf "$root/src/unmask"
git clone --quiet --no-hardlinks "$here/../.." "$root/src/unmask"
for step in ${UNMASK_FRESH_STEPS:-quickstart test}; do
  echo "=== $suite: scripts/$step.sh"
  start=$SECONDS
  in_root /src/unmask/scripts/"$step.sh"
  echo "=== $suite: scripts/$step.sh passed in $((SECONDS - start)) s"
done

#!/usr/bin/env bash
# The package in a bare Debian: tests/fresh/package.sh bookworm|trixie PACKAGE.deb [FOLDER]
#
# PACKAGE.deb comes from `cpack -G DEB` in a build folder on the same Debian. Installs it with apt in a minimal root
# (see bare_root.sh), runs a study there, and then, with a compiler and LibTorch's headers, begins, builds and tries a
# plugin of every kind as an author would. Needs root and debootstrap.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/bare_root.sh"
package=${2:?usage: package.sh bookworm|trixie PACKAGE.deb [FOLDER]}
make_root "$1" "${3:-}"

say() { echo "=== $suite: $*"; }

say "installing the package, what it depends on, and the BLAS that it recommends (doctor complains of a slow one)"
cp "$package" "$root/tmp/unmask.deb"
in_root apt-get update -qq
in_root apt-get install -y -qq --no-install-recommends /tmp/unmask.deb libopenblas0-pthread >/dev/null
in_root unmask doctor
in_root unmask check /usr/share/unmask/experiments/quickstart.json

say "installing a compiler and LibTorch's headers"
in_root apt-get install -y -qq --no-install-recommends g++ cmake make libtorch-dev >/dev/null
for pair in solver:ralston model:tiny_ode attack:sign_steps dataset:stripes objective:margin probe:certainty; do
  kind=${pair%:*}
  id=${pair#*:}
  say "a $kind of one's own"
  rm -rf "$root/root/$id"
  in_root sh -ec "cd /root && unmask plugins new $kind $id && cd $id && cmake --workflow --preset default &&
    unmask run study.json --plugin-dir build/lib/unmask/plugins --progress none"
done
say "passed"

#!/usr/bin/env bash
# The README's two commands in a bare Debian: tests/fresh/in_debootstrap.sh bookworm|trixie [FOLDER]
#
# Makes a minimal root with debootstrap in FOLDER (default: a new temporary one, removed afterwards; an existing
# root is used again), clones the committed state of this repository into it, and runs scripts/quickstart.sh and
# scripts/test.sh there as root with an empty environment. Needs root and debootstrap. UNMASK_FRESH_CCACHE names
# a folder to share as compiler cache between runs; UNMASK_FRESH_STEPS may name only one of "quickstart test".
set -euo pipefail
suite=${1:?usage: in_debootstrap.sh bookworm|trixie [FOLDER]}
case $suite in bookworm | trixie) ;; *) echo "in_debootstrap: $suite is not bookworm or trixie" >&2; exit 2 ;; esac
[ "$(id -u)" -eq 0 ] || { echo "in_debootstrap: needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "in_debootstrap: install debootstrap" >&2; exit 1; }
repository=$(cd "$(dirname "$0")/../.." && pwd)

root=${2:-}
if [ -z "$root" ]; then
  root=$(mktemp -d)
  remove=yes
fi
mounts=()
cleanup() {
  for ((i = ${#mounts[@]} - 1; i >= 0; --i)); do umount -l "${mounts[i]}" || true; done
  if [ "${remove:-no}" = yes ]; then rm -rf --one-file-system "$root"; fi
}
trap cleanup EXIT

if [ ! -e "$root/etc/debian_version" ]; then
  # The mirror that this machine uses itself.
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  debootstrap --variant=minbase --include=ca-certificates,git "$suite" "$root" "$mirror"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
# How this machine reaches its mirror (a proxy, certificates) is how the root reaches it.
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
[ -e /etc/apt/apt.conf ] && cp /etc/apt/apt.conf "$root/etc/apt/apt.conf"
cp -a /etc/ssl/certs/. "$root/etc/ssl/certs/" 2>/dev/null || true
cp -a /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true

for what in proc sys dev dev/pts; do
  mkdir -p "$root/$what"
  mount --bind "/$what" "$root/$what"
  mounts+=("$root/$what")
done
environment=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8)
for name in http_proxy https_proxy no_proxy; do
  [ -n "${!name:-}" ] && environment+=("$name=${!name}")
done
if [ -n "${UNMASK_FRESH_CCACHE:-}" ]; then
  mkdir -p "$UNMASK_FRESH_CCACHE" "$root/ccache"
  mount --bind "$UNMASK_FRESH_CCACHE" "$root/ccache"
  mounts+=("$root/ccache")
  environment+=(CCACHE_DIR=/ccache)
fi

rm -rf "$root/src/unmask"
git clone --quiet --no-hardlinks "$repository" "$root/src/unmask"
for step in ${UNMASK_FRESH_STEPS:-quickstart test}; do
  echo "=== $suite: scripts/$step.sh"
  start=$SECONDS
  env -i "${environment[@]}" chroot "$root" /src/unmask/scripts/"$step.sh" </dev/null
  echo "=== $suite: scripts/$step.sh passed in $((SECONDS - start)) s"
done

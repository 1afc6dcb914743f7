# Sourced by the scripts beside it: a minimal Debian to try things in as a new user would.
#
#   make_root bookworm|trixie [FOLDER]   with debootstrap, in FOLDER or a temporary one that is removed at exit; an
#                                        existing root is used again
#   in_root COMMAND...                   as root, with an empty environment

make_root() {
  suite=${1:?name bookworm or trixie}
  case $suite in bookworm | trixie) ;; *) echo "fresh: $suite is not bookworm or trixie" >&2; exit 2 ;; esac
  [ "$(id -u)" -eq 0 ] || { echo "fresh: needs root" >&2; exit 1; }
  command -v debootstrap >/dev/null || { echo "fresh: install debootstrap" >&2; exit 1; }
  root=${2:-}
  if [ -z "$root" ]; then
    root=$(mktemp -d)
    remove=yes
  fi
  mounts=()
  trap leave_root EXIT

  if [ ! -e "$root/etc/debian_version" ]; then
    # The mirror that this machine uses itself.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
    debootstrap --variant=minbase --include=ca-certificates,git "$suite" "$root" "$mirror"
  fi
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  # How this machine reaches its mirror (a proxy, certificates) is how the root reaches it.
  cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
  if [ -e /etc/apt/apt.conf ]; then cp /etc/apt/apt.conf "$root/etc/apt/apt.conf"; fi
  cp -a /etc/ssl/certs/. "$root/etc/ssl/certs/" 2>/dev/null || true
  cp -a /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true

  local what
  for what in proc sys dev dev/pts; do
    mkdir -p "$root/$what"
    mount --bind "/$what" "$root/$what"
    mounts+=("$root/$what")
  done
  environment=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
  for what in http_proxy https_proxy no_proxy; do
    if [ -n "${!what:-}" ]; then environment+=("$what=${!what}"); fi
  done
}

leave_root() {
  local i
  for ((i = ${#mounts[@]} - 1; i >= 0; --i)); do umount -l "${mounts[i]}" || true; done
  if [ "${remove:-no}" = yes ]; then rm -rf --one-file-system "$root"; fi
}

in_root() {
  env -i "${environment[@]}" chroot "$root" "$@" </dev/null
}

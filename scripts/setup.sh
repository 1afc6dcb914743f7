#!/usr/bin/env bash
# Installs what unmask needs and this machine lacks: Debian 12 or 13, or Ubuntu 24.04 or later, through apt.
# Asks nothing; when nothing is missing it does nothing. UNMASK_SKIP_TORCH=1 leaves LibTorch out, for
# those who bring their own (see README). With --browser also what the tests of pages need (without it they are skipped, and say
# so): a browser, and the shells and groff for completion and manual page.
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache git pkg-config
  libboost-dev libboost-filesystem-dev libboost-program-options-dev nlohmann-json3-dev
  libsqlite3-dev sqlite3 libssl-dev zlib1g-dev libpng-dev libjpeg-dev libgtest-dev libgmock-dev libvalijson-dev
  libcpp-httplib-dev
)
if [ "${UNMASK_SKIP_TORCH:-0}" != 1 ]; then
  # With the reference BLAS that libtorch-dev is content with, a matrix product is 30 times slower.
  packages+=(libtorch-dev libopenblas0-pthread)
fi

if [ "${1:-}" = --browser ]; then
  packages+=(chromium chromium-driver python3-selenium fonts-dejavu-core bash-completion zsh fish groff)
fi

if ! command -v apt-get >/dev/null; then
  echo "setup: this system has no apt-get. Install by hand: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: everything is installed"
  exit 0
fi

echo "setup: installing ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: run this as root, or install sudo" >&2; exit 1; }
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"

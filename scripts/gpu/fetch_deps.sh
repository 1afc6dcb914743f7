#!/usr/bin/env bash
# Downloads, and does not install, the Debian 12 packages that scripts/gpu/build.sh wants: scripts/gpu/fetch_deps.sh DIR
set -euo pipefail
dir=${1:?usage: scripts/gpu/fetch_deps.sh DIR}
mkdir -p "$dir"
cd "$dir"
apt-get update -qq
apt-get download -qq \
  libboost1.74-dev libboost-program-options1.74-dev libboost-program-options1.74.0 \
  libboost-filesystem1.74-dev libboost-filesystem1.74.0 libboost-system1.74-dev libboost-system1.74.0 \
  nlohmann-json3-dev libsqlite3-dev libsqlite3-0 libssl-dev libssl3 libvalijson-dev \
  libcpp-httplib-dev libcpp-httplib0.11 libbrotli-dev libbrotli1 \
  zlib1g zlib1g-dev libpng-dev libpng16-16 libjpeg62-turbo-dev libjpeg62-turbo libgtest-dev libgmock-dev googletest
du -sh .

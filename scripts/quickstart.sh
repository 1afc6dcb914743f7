#!/usr/bin/env bash
# Installs what is missing, builds, runs the quickstart study and shows its table.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
scripts/build.sh release
unmask=build/release/bin/unmask
"$unmask" run experiments/quickstart.json "$@"
echo
"$unmask" query robustness
echo
cat <<'TEXT'
What to look at: ode_resnet under the adaptive solver bosh3. PGD on the cross-entropy leaves it much of its accuracy; the same
PGD with frozen steps, PGD on the margin loss, and SPSA, which needs no gradient, do not. The network was not robust, its
solver hid the gradient. Under rk4 PGD is as strong as it should be.
How far the seeds differ: build/release/bin/unmask query seeds. Ask further: build/release/bin/unmask query --list
TEXT

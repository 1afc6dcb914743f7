#pragma once
// A block at the bottom of the terminal, one line per worker and one of totals, drawn over itself.
// Failures are printed once above it and stay.

#include <memory>

#include "run/progress.hpp"

namespace unmask::run {

std::unique_ptr<Progress> make_terminal_progress(ProgressOutput output);

}  // namespace unmask::run

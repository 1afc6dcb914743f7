#pragma once
// One line per event, for logs and pipes.

#include <memory>

#include "run/progress.hpp"

namespace unmask::run {

std::unique_ptr<Progress> make_plain_progress(ProgressOutput output);

}  // namespace unmask::run

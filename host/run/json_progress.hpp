#pragma once
// One JSON object per line and event, for programs. Member "event" says which.

#include <memory>

#include "run/progress.hpp"

namespace unmask::run {

std::unique_ptr<Progress> make_json_progress(ProgressOutput output);

}  // namespace unmask::run

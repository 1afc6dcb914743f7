#pragma once
// What --retry of `unmask run` says.

#include <string>
#include <vector>

#include "wire/failure_class.hpp"

namespace unmask::cli {

/// "2" for every class that is retried by default, "timeout=1" for one class, "all=1" for all that
/// may be; several after each other or with commas between, later ones win.
/// @throws UsageError that names the classes
wire::RetryLimits parse_retries(const std::vector<std::string>& texts);

/// "crash 1, oom 1, device_fault 1": what is retried by default, for help texts.
std::string default_retries_text();

}  // namespace unmask::cli

#pragma once
// Options of training as a manifest would give them, for tests.

#include <map>
#include <string>

#include "catalog/host_options.hpp"
#include "engine/training_options.hpp"

namespace unmask::engine {

/// The host's defaults but for these.
inline TrainingOptions training_options(std::map<std::string, ParamValue> values = {}) {
  return TrainingOptions::from(Params(catalog::host_options("objective", {}), std::move(values)));
}

}  // namespace unmask::engine

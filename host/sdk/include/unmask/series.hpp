#pragma once
// A curve that an attack or a probe wants recorded: a loss per step, a landscape row by row.

#include <cstdint>
#include <optional>
#include <string>

#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// Numbers in order; the host stores entry i as step i + 1.
struct RecordedSeries {
  std::string name;  ///< lower snake case, parts joined by dots
  Tensor values;     ///< [S], any type that converts to double
  /// Row of the batch that the curve belongs to: it is stored as `<name>.<sample>`, the sample's
  /// index in the evaluated split. Left out: it belongs to the whole cell, so only one batch of it
  /// may give this name.
  std::optional<std::int64_t> row = std::nullopt;
};

}  // namespace v1
}  // namespace unmask

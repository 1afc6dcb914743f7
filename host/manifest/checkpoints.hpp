#pragma once
// The trained networks as the evaluate stage names them: texts that patterns are compared with.

#include <string>
#include <utility>
#include <vector>

#include "manifest/axes.hpp"

namespace unmask::manifest::matrix {

class Checkpoints {
 public:
  /// No checkpoints: for the train stage, which has no such axis.
  Checkpoints() = default;

  /// @param texts        "model/dataset/objective/solver/seed" of each train row, in their order
  /// @param is_complete  false when train rows may be missing because of errors
  Checkpoints(std::vector<std::string> texts, bool is_complete)
      : texts_(std::move(texts)), is_complete_(is_complete) {}

  std::size_t size() const { return texts_.size(); }
  bool is_complete() const { return is_complete_; }
  const std::string& text(AxisValue value) const { return texts_[static_cast<std::size_t>(value)]; }

  /// The checkpoints whose model matches; a pattern with '/' is compared with the whole text.
  std::vector<AxisValue> matching(const std::string& pattern) const;

  /// The models, for suggestions.
  std::vector<std::string> models() const;

 private:
  std::vector<std::string> texts_;
  bool is_complete_ = true;
};

}  // namespace unmask::manifest::matrix

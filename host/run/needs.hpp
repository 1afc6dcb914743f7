#pragma once
// The places in a plan of the trainings that its cells need. Cells name them by key.

#include <cstddef>
#include <optional>
#include <vector>

#include "wire/cell.hpp"

namespace unmask::run {

class Needs {
 public:
  /// @throws InternalError when a cell needs something else than a training of the plan
  explicit Needs(const std::vector<wire::Cell>& plan);

  /// The training whose checkpoint a cell uses; of a train cell none.
  const std::optional<std::size_t>& checkpoint(std::size_t cell) const { return checkpoint_[cell]; }
  /// Likewise of the network on which adversarial images are made, when it is another one.
  const std::optional<std::size_t>& source(std::size_t cell) const { return source_[cell]; }

  /// Both.
  std::vector<std::size_t> all(std::size_t cell) const;

 private:
  std::vector<std::optional<std::size_t>> checkpoint_, source_;
};

}  // namespace unmask::run

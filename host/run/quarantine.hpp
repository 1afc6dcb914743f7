#pragma once
// Cells that a run does not begin, because their like has crashed again and again.

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wire/cell.hpp"

namespace unmask::run {

/// When a cell has crashed twice and is given up, others of its kin are likely to crash, too, and
/// each would cost the time until then. Kin of a training: the same but for the seed. Kin of an
/// evaluation: the same attack or probe (by its name in the manifest) on the same model, whatever
/// radius, seed and training. A solver, gradient solver or source that has not finished any cell yet
/// is as suspect as the method: then only what shares it is kin. Who has finished one cell of the
/// kin, in this run or before, is not suspect. A next run tries all of them again.
class Quarantine {
 public:
  /// @param plan  outlives it
  explicit Quarantine(const std::vector<wire::Cell>& plan)
      : plan_(plan), is_settled_(plan.size(), false) {}

  /// A cell has its result.
  void finished(std::size_t cell);

  /// A cell has failed for good.
  void gave_up(std::size_t cell) { is_settled_[cell] = true; }

  /// It did so after it had crashed `times` times.
  /// @return why its kin is not begun any more, as a sentence; nullopt when it is, or there is none
  std::optional<std::string> crashed(std::size_t cell, int times);

  bool is_empty() const { return kins_.empty(); }

  /// The sentence of the kin that a cell belongs to; nullopt when it may begin.
  std::optional<std::string> reason(std::size_t cell) const;

 private:
  using Label = std::string wire::CellLabels::*;
  struct Kin {
    wire::CellKind kind;
    std::vector<std::pair<Label, std::string>> labels;  // all of them alike
    std::string sentence;
  };
  Kin kin_of(const wire::Cell& cell) const;
  bool is_alone(const Kin& kin) const;
  bool has_finished(Label label, const std::string& name) const;
  static bool belongs(const wire::Cell& cell, const Kin& kin);

  const std::vector<wire::Cell>& plan_;
  std::vector<std::size_t> finished_;
  std::vector<bool> is_settled_;  // finished or given up
  std::vector<Kin> kins_;
};

}  // namespace unmask::run

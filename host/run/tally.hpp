#pragma once
// How many cells are behind and ahead, and how long the rest may take.

#include <array>
#include <cstddef>
#include <string>

#include "run/summary.hpp"
#include "wire/cell.hpp"

namespace unmask::run {

class Tally {
 public:
  void start(const RunOutline& outline, double now);

  /// @param seconds  what its result says: of a cell in parts, the sum over all workers
  void finished(const wire::Cell& cell, double seconds);
  void failed(const wire::Cell& cell);
  void skipped(const wire::Cell& cell);
  /// A cell that counted as stored is ahead again.
  void again(const wire::Cell& cell);

  double elapsed(double now) const { return now - start_; }
  std::size_t settled() const { return done_ + failed_ + skipped_; }
  std::size_t total() const { return outline_.cells(); }

  /// "about 3m05s"; "over 40s" when some kind of cell has not been seen yet; empty when nothing is
  /// known. What cells took in earlier runs counts as far as it is recorded, corrected by how those of
  /// this run compare with it; of others the mean of their kind in this run.
  std::string time_left() const;

  /// "3/8 cells, 1 failed, 12s gone, about 20s left"
  std::string text(double now) const;

 private:
  struct Kind {
    double seconds = 0;
    std::size_t count = 0;
  };
  const double* recorded(const wire::Cell& cell) const;
  void settle(const wire::Cell& cell);

  RunOutline outline_;
  std::array<std::size_t, 3> left_{};  // without a recorded cost
  double recorded_left_s_ = 0;
  std::size_t recorded_left_ = 0;
  double took_s_ = 0, recorded_s_ = 0;  // of finished cells with a recorded cost
  std::array<Kind, 3> kinds_{};
  double start_ = 0;
  std::size_t done_ = 0, failed_ = 0, skipped_ = 0;
};

}  // namespace unmask::run

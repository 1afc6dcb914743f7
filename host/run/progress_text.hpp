#pragma once
// Pieces of sentences that the reporters for people share.

#include <string>
#include <string_view>
#include <vector>

#include "run/summary.hpp"
#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::run {

/// The first `columns` characters of a line; a cut line ends in "~". Characters are counted as code
/// points, which is right for all that is printed here.
std::string fit(std::string_view line, int columns);

/// "FAILED", in red where there are colours.
std::string failed_text(bool has_colors);

/// A text of several lines as one line.
std::string one_line(std::string_view text);

/// Slots count from 0, people from 1.
std::string worker_name(int slot);

/// " (attempt 2)"; empty for the first.
std::string attempt_text(int attempt);

/// What is told of a failure: title, class and message of several lines; the plugins; the end of
/// the worker's log, and where all of it is; the command that executes the cell again.
std::vector<std::string> failure_lines(const wire::Cell& cell,
                                       const wire::CellFailure& failure,
                                       bool will_retry);

/// The plugins of a cell by kind, its attack or probe first: "attack pgd, dataset strokes, model
/// mlp, solver rk4"; empty when its specification names none.
std::string plugins_text(const wire::Cell& cell);

/// A training gave other weights than before, so results of the former ones are gone.
/// @param here  of them, cells of this run; they run again  @param elsewhere  the others
std::string discarded_text(const std::string& training, std::size_t here, std::size_t elsewhere);

/// After Ctrl-C, while some cells run.
std::string draining_text(std::size_t running);

/// "3 done, 2 failed, in 12s"
std::string summary_text(const RunSummary& summary);

}  // namespace unmask::run

#pragma once
// What the page shows, as JSON texts: one for each part of it, so that only what changed is sent.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/store.hpp"
#include "watch/overview.hpp"

namespace unmask::watch {

/// Name and JSON of each part. A text is shared for as long as it does not change.
using Sections = std::vector<std::pair<std::string, std::shared_ptr<const std::string>>>;

/// Most rows of one part; the page says when there are more.
inline constexpr std::size_t kMostFailures = 50;
inline constexpr std::size_t kMostAccuracies = 3000;
inline constexpr std::size_t kMostTrainings = 60;
inline constexpr std::size_t kMostPoints = 200;
inline constexpr std::size_t kMostVerdicts = 300;

/// "overview": runs, counts, workers, time left.
std::string overview_section(const store::Store& store, const Overview& overview);

/// "live": curves of trainings that have not ended.
std::string live_section(const Overview& overview);

/// "failures", "accuracy", "curves", "verdicts": what grows with the study.
Sections growing_sections(const store::Store& store, const store::WatchedRun& run);

/// "overview" when there is nothing to show, and why.
std::string problem_section(const std::string& database, const std::string& problem);

}  // namespace unmask::watch

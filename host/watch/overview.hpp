#pragma once
// The state of a study at one moment, for the page and for `unmask status --follow` alike.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "run/live_state.hpp"
#include "store/store.hpp"
#include "store/watching.hpp"

namespace unmask::watch {

enum class RunState {
  kRunning,
  kEnded,        ///< it said so, with an exit code
  kInterrupted,  ///< a later run found that it had ended without a word
  kGone,         ///< it ended without a word: its process is not there any more
  kElsewhere     ///< it runs on another machine, as far as the database says
};

/// "running", "ended", "interrupted", "gone", "elsewhere".
const char* to_string(RunState state);

struct Overview {
  store::WatchedRun run;
  RunState state = RunState::kRunning;
  store::KindCounts kinds;
  store::RunCount counts;
  /// Running cells, with what the run says about them: title, attempt, and how far they are.
  std::vector<run::LiveWorker> workers;
  std::vector<double> started_at;  ///< of the cells of `workers`, seconds since 1970
  run::LiveState live;             ///< empty when the run left nothing

  bool is_over() const { return state != RunState::kRunning && state != RunState::kElsewhere; }
  /// 0 everything that the run asked for is stored, 1 something is not; of a run that is over.
  int exit_code() const;
};

/// Of a study's latest run; nullopt when the database knows no such study, or, with an empty name,
/// none at all.
/// @param study  empty: the one that ran last
std::optional<Overview> look(const store::Store& store, const std::string& study);

/// "12/98 cells, 1 failed, 2 running, about 3m05s left"
std::string status_line(const Overview& overview);

}  // namespace unmask::watch

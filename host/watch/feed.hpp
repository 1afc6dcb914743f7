#pragma once
// Keeps the parts of the page up to date for as many viewers as there are: the database is asked
// only when it has changed, and never for more than a tenth of the time.

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "store/store.hpp"
#include "watch/sections.hpp"

namespace unmask::watch {

/// Thread-safe.
class Feed {
 public:
  /// @param database  may be missing yet; it is opened as soon as it is there, and again when
  ///                  another file takes its place
  explicit Feed(std::filesystem::path database);

  /// The parts of a study as of now, or a moment ago. Never throws for what is wrong with the
  /// database: then the overview says it.
  /// @param study  empty: the one that ran last
  Sections look(const std::string& study);

 private:
  struct Study {
    Sections growing;
    std::shared_ptr<const std::string> overview, live;
    std::int64_t run = 0;
    std::int64_t growing_version = -1;  // of the data behind `growing`
    double looked_at = 0;               // seconds on a clock that only moves forward
    double growing_not_before = 0;
  };

  void open();
  void refresh(Study& study, const std::string& name);
  Sections sections_of(const Study& study) const;

  std::filesystem::path database_;
  std::mutex mutex_;
  std::optional<store::Store> store_;
  std::uint64_t device_ = 0, inode_ = 0;  // of the file that is open
  std::map<std::string, Study> studies_;
};

}  // namespace unmask::watch

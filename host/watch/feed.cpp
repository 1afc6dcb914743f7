#include "watch/feed.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include "unmask/errors.hpp"

namespace unmask::watch {
namespace {

// How old an answer may be; progress is to arrive within a second.
constexpr double kFresh = 0.2;

// Of the time, what is left to others after a look at what grows with the study.
constexpr double kRestPerLook = 9;

double steady_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The old text where the new one equals it: senders compare pointers.
void replace(std::shared_ptr<const std::string>& text, std::string next) {
  if (!text || *text != next) text = std::make_shared<const std::string>(std::move(next));
}

void replace(Sections& sections, Sections next) {
  for (auto& [name, text] : next) {
    for (const auto& [old_name, old] : sections) {
      if (old_name == name && *old == *text) text = old;
    }
  }
  sections = std::move(next);
}

}  // namespace

Feed::Feed(std::filesystem::path database) : database_(std::move(database)) {}

Sections Feed::look(const std::string& name) {
  const std::lock_guard lock(mutex_);
  // Nobody can make this grow without end by asking for names.
  if (studies_.size() > 100 && !studies_.contains(name)) studies_.clear();
  Study& study = studies_[name];
  if (study.looked_at > 0 && steady_now() - study.looked_at < kFresh) return sections_of(study);
  try {
    open();
    refresh(study, name);
  } catch (const std::exception& error) {
    store_.reset();
    replace(study.overview, problem_section(database_.string(), error.what()));
    study.live.reset();
    study.growing.clear();
    study.growing_version = -1;
  }
  study.looked_at = steady_now();
  return sections_of(study);
}

void Feed::open() {
  struct stat found {};
  if (::stat(database_.c_str(), &found) != 0) {
    throw StoreError(database_.string() + " does not exist yet; the page waits for it");
  }
  if (store_ && found.st_dev == device_ && found.st_ino == inode_) return;
  store_.reset();
  for (auto& [name, study] : studies_) study.growing_version = -1;
  store_.emplace(store::Store::open_reader(database_));
  device_ = found.st_dev;
  inode_ = found.st_ino;
}

void Feed::refresh(Study& study, const std::string& name) {
  const std::int64_t version = store::data_version(*store_);
  const std::optional<Overview> overview = watch::look(*store_, name);
  if (!overview) {
    throw StoreError(name.empty() ? "nothing ran with this database yet; the page waits for it"
                                  : "there is no study \"" + name + "\" in this database");
  }
  replace(study.overview, overview_section(*store_, *overview));
  replace(study.live, live_section(*overview));
  const bool is_known = study.growing_version == version && study.run == overview->run.id;
  const double start = steady_now();
  if (is_known || start < study.growing_not_before) return;
  replace(study.growing, growing_sections(*store_, overview->run));
  study.growing_version = version;
  study.run = overview->run.id;
  const double end = steady_now();
  study.growing_not_before = end + kRestPerLook * (end - start);
}

Sections Feed::sections_of(const Study& study) const {
  Sections sections;
  if (study.overview) sections.emplace_back("overview", study.overview);
  if (study.live) sections.emplace_back("live", study.live);
  sections.insert(sections.end(), study.growing.begin(), study.growing.end());
  return sections;
}

}  // namespace unmask::watch

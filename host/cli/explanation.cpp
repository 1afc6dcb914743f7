#include "cli/explanation.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/counted.hpp"
#include "cli/lost_results.hpp"
#include "cli/plan_summary.hpp"
#include "cli/spec_difference.hpp"
#include "run/progress.hpp"
#include "store/history.hpp"
#include "store/store.hpp"
#include "wire/spec.hpp"

namespace unmask::cli {
namespace {

using nlohmann::json;

// Among how many stored cells to look for the nearest one: the latest.
constexpr std::size_t kCandidates = 2000;

class Explainer {
 public:
  Explainer(const plan::Plan& plan,
            const std::string& study,
            const store::Store& store,
            PlanSummary summary)
      : study_(study), store_(store), summary_(std::move(summary)) {
    for (const wire::Cell& cell : plan.cells) specs_.emplace(cell.key, &cell.spec);
    for (const LostResult& lost : summary_.lost) {
      lost_[lost.key] =
          (lost.is_training ? "its checkpoint " + lost.file : "its images") + " " + lost.problem;
    }
  }

  std::pair<bool, std::string> reason(const wire::Cell& cell) {
    const auto last = store::last_attempt(store_, cell.key);
    if (summary_.done.contains(cell.key)) {
      return {true, last && last->state == "done" ? who(*last) : "a training that has just ended"};
    }
    if (const auto lost = lost_.find(cell.key); lost != lost_.end()) return {false, lost->second};
    if (last) return {false, what_became_of(*last)};
    return {false, what_is_new(cell)};
  }

 private:
  static std::string who(const store::LastAttempt& last) {
    return "by run " + std::to_string(last.run) + " on " + last.host + " (" + last.device + ")";
  }

  static std::string what_became_of(const store::LastAttempt& last) {
    const std::string in_run = " in run " + std::to_string(last.run);
    if (last.state == "failed") {
      return "it failed" + in_run + " (" + last.failure_class + ", " +
             base::counted(last.attempts, "attempt") + "): " + last.message;
    }
    if (last.state == "discarded") return "its result was discarded: " + last.message;
    if (last.state == "running") return "it is running" + in_run;
    return "it was interrupted" + in_run;
  }

  std::string what_is_new(const wire::Cell& cell) {
    const json spec = cell.spec.whole();
    if (const auto former = store::former_cell(store_, study_, cell)) {
      return "what is stored under its name differs in " + to_text(in_full(former->spec, spec));
    }
    std::optional<std::vector<Difference>> nearest;
    for (const store::StoredSpec& stored : candidates(cell.kind)) {
      std::vector<Difference> found = differences(stored.spec, spec);
      if (!nearest || distance(found) < distance(*nearest)) {
        nearest = std::move(found);
        nearest_ = &stored;
      }
    }
    if (!nearest) {
      return std::string("no ") + wire::to_string(cell.kind) + " cell is stored";
    }
    return "the nearest stored cell differs in " + to_text(in_full(nearest_->spec, spec));
  }

  // With the difference of the trainings in place of that of their keys.
  std::vector<Difference> in_full(const json& before, const json& after) {
    std::vector<Difference> result;
    for (Difference& one : differences(before, after)) {
      std::vector<Difference> inner;
      if (one.component == "checkpoint" || one.component == "source.checkpoint") {
        const std::string name = one.component == "checkpoint" ? "training" : "source's training";
        for (Difference& deep : of_trainings(key_in(before, one), key_in(after, one))) {
          // What the evaluation says itself is not said twice.
          if (is_said(before, after, deep)) continue;
          deep.component = name + "'s " + deep.component;
          inner.push_back(std::move(deep));
        }
      }
      if (inner.empty()) inner.push_back(std::move(one));
      for (Difference& deep : inner) result.push_back(std::move(deep));
    }
    return result;
  }

  static bool is_said(const json& before, const json& after, const Difference& deep) {
    const std::vector<Difference> own = differences(before, after);
    return std::any_of(own.begin(), own.end(), [&](const Difference& one) {
      return one.component == deep.component && one.before == deep.before &&
             one.after == deep.after;
    });
  }

  static std::string key_in(const json& spec, const Difference& one) {
    const auto key =
        one.component == "checkpoint" ? wire::checkpoint_of(spec) : wire::source_of(spec);
    return key.value_or("");
  }

  std::vector<Difference> of_trainings(const std::string& before, const std::string& after) {
    const auto old_spec = store::spec_of(store_, before);
    const auto planned = specs_.find(after);
    if (!old_spec || planned == specs_.end()) return {};
    return differences(*old_spec, planned->second->whole());
  }

  const std::vector<store::StoredSpec>& candidates(wire::CellKind kind) {
    const auto [found, is_new] = candidates_.try_emplace(kind);
    if (is_new) found->second = store::stored_specs(store_, kind, kCandidates);
    return found->second;
  }

  const std::string& study_;
  const store::Store& store_;
  PlanSummary summary_;
  std::map<std::string, const wire::Spec*> specs_;
  std::map<std::string, std::string> lost_;
  std::map<wire::CellKind, std::vector<store::StoredSpec>> candidates_;
  const store::StoredSpec* nearest_ = nullptr;
};

}  // namespace

std::vector<Explanation> explain(const plan::Plan& plan,
                                 const std::string& study,
                                 const std::vector<wire::Cell>& cells,
                                 const std::filesystem::path& database) {
  if (!std::filesystem::exists(database)) {
    return {{false, "there is no database " + database.string() + " yet", cells}};
  }
  const store::Store store = store::Store::open_reader(database);
  Explainer explainer(plan, study, store, summarize(plan, database));
  std::vector<Explanation> result;
  std::map<std::pair<bool, std::string>, std::size_t> places;
  for (const wire::Cell& cell : cells) {
    const auto reason = explainer.reason(cell);
    const auto [found, is_new] = places.emplace(reason, result.size());
    if (is_new) result.push_back({reason.first, reason.second, {}});
    result[found->second].cells.push_back(cell);
  }
  return result;
}

}  // namespace unmask::cli

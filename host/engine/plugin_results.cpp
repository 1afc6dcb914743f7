#include "engine/plugin_results.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include <torch/types.h>

#include "engine/broken.hpp"
#include "engine/finite.hpp"
#include "engine/in_name_of.hpp"
#include "engine/threat_check.hpp"

namespace unmask::engine {
namespace {

constexpr std::size_t kLongestName = 100;
// Of one batch. More are a mistake (a name made of a counter), and would fill the database.
constexpr std::size_t kMostNames = 1000;

[[noreturn]] void refuse(const std::string& problem) {
  throw std::runtime_error(problem);
}

std::string what_is(const Tensor& tensor) {
  if (!tensor.defined()) return "nothing";
  std::ostringstream text;
  text << tensor.sizes() << " " << tensor.scalar_type();
  if (tensor.layout() != at::kStrided) text << " " << tensor.layout();
  return text.str();
}

bool is_plain_number(const Tensor& values) {
  return values.defined() && !values.is_complex() && values.layout() == at::kStrided;
}

void check_names(const std::vector<std::string>& names, const std::string& what) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (const std::string problem = name_problem(name); !problem.empty()) {
      refuse("its " + what + " " + problem);
    }
    if (!seen.insert(name).second) refuse("its " + what + " \"" + name + "\" is given twice");
  }
  if (names.size() > kMostNames) {
    refuse("it gives " + std::to_string(names.size()) + " " + what + "s of one batch; at most " +
           std::to_string(kMostNames) + " are allowed");
  }
}

// Notes and probe values: one number for each sample.
template <class Value>
void check_values(const std::vector<Value>& values, std::int64_t rows, const std::string& what) {
  std::vector<std::string> names;
  for (const Value& value : values) names.push_back(value.name);
  check_names(names, what);
  for (const Value& value : values) {
    if (is_plain_number(value.values) && value.values.dim() == 1 && value.values.size(0) == rows) {
      continue;
    }
    refuse("its " + what + " \"" + value.name + "\" must be one number for each of " +
           std::to_string(rows) + " samples, it is " + what_is(value.values));
  }
}

void check_series(const std::vector<RecordedSeries>& series, std::int64_t rows) {
  std::vector<std::string> names;
  for (const RecordedSeries& curve : series) {
    if (curve.row && (*curve.row < 0 || *curve.row >= rows)) {
      refuse("its series \"" + curve.name + "\" belongs to row " + std::to_string(*curve.row) +
             " of a batch of " + std::to_string(rows));
    }
    if (!is_plain_number(curve.values) || curve.values.dim() != 1) {
      refuse("its series \"" + curve.name + "\" must be a list of numbers, it is " +
             what_is(curve.values));
    }
    names.push_back(curve.name + (curve.row ? "." + std::to_string(*curve.row) : ""));
  }
  check_names(names, "series");
}

bool is_word(std::string_view part) {
  if (part.empty()) return false;
  return std::all_of(part.begin(), part.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool is_lower_snake(const std::string& name) {
  if (name.empty() || name.front() < 'a' || name.front() > 'z') return false;
  std::size_t start = 0;
  for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', start)) {
    if (!is_word(std::string_view(name).substr(start, dot - start))) return false;
    start = dot + 1;
  }
  return is_word(std::string_view(name).substr(start));
}

// The name for a message, whatever bytes it has.
std::string printable(const std::string& name) {
  std::string text;
  for (const char c : name.substr(0, kLongestName)) text += c >= ' ' && c <= '~' ? c : '?';
  return "\"" + text + "\"";
}

}  // namespace

void expect_logits(const Tensor& logits, std::int64_t samples, std::int64_t classes) {
  if (logits.defined() && logits.dim() == 2 && logits.size(0) == samples &&
      logits.size(1) == classes && logits.is_floating_point()) {
    return;
  }
  refuse("the model must give logits [" + std::to_string(samples) + ", " + std::to_string(classes) +
         "], real numbers; it gave " + what_is(logits));
}

void expect_training_loss(const Tensor& loss) {
  if (loss.defined() && loss.numel() == 1 && loss.is_floating_point()) return;
  refuse("the objective must give one real number, the loss of its batch; it gave " +
         what_is(loss));
}

std::string name_problem(const std::string& name) {
  if (!is_lower_snake(name)) {
    return printable(name) + " must be named in lower snake case, parts joined by dots";
  }
  if (name.size() > kLongestName) {
    return printable(name) + "... has a name of " + std::to_string(name.size()) +
           " characters; at most " + std::to_string(kLongestName) + " are allowed";
  }
  constexpr std::array kTaken = {"batch_coupled", "threat_violations", "undecided"};
  constexpr std::array kEndings = {".mean", ".median", ".min", ".max", ".not_finite"};
  const bool is_taken = name == "check" || name.starts_with("check.") ||
                        name.find("accuracy") != std::string::npos ||
                        std::find(kTaken.begin(), kTaken.end(), name) != kTaken.end() ||
                        std::any_of(kEndings.begin(), kEndings.end(), [&](const char* ending) {
                          return name.ends_with(ending);
                        });
  return is_taken ? printable(name) + " has a name that is the host's own" : "";
}

CheckedAttack::CheckedAttack(std::string id, std::unique_ptr<Attack> attack, ProcessState* process)
    : who_("attack " + id), attack_(std::move(attack)), process_(process) {}

Tensor CheckedAttack::perturb(Target& target,
                              const Tensor& x,
                              const Tensor& y,
                              const Threat& threat,
                              AttackContext& context) {
  return in_name_of(who_, [&] {
    // Copies: what is judged are the host's own.
    Tensor points;
    try {
      points = attack_->perturb(target, x.clone(), y.clone(), threat, context);
    } catch (...) {
      if (process_ != nullptr) process_->restore(who_);
      throw;
    }
    if (process_ != nullptr) process_->restore(who_);
    if (!is_plain_number(points) || points.device() != x.device()) {
      refuse("it must give points like its batch, a dense tensor on the same device; it gave " +
             what_is(points));
    }
    points = points.detach();
    expect_same_kind(points, x);
    if (const auto place = first_not_finite(points)) {
      throw BrokenAttack("it gave points that are not finite: " + *place);
    }
    check_values(context.notes, x.size(0), "note");
    check_series(context.series, x.size(0));
    return points;
  });
}

CheckedProbe::CheckedProbe(std::string id, std::unique_ptr<Probe> probe, ProcessState* process)
    : who_("probe " + id), probe_(std::move(probe)), process_(process) {}

std::vector<ProbeValue> CheckedProbe::measure(Target& target,
                                              const Tensor& x,
                                              const Tensor& y,
                                              ProbeContext& context) {
  return in_name_of(who_, [&] {
    std::vector<ProbeValue> values;
    try {
      values = probe_->measure(target, x.clone(), y.clone(), context);
    } catch (...) {
      if (process_ != nullptr) process_->restore(who_);
      throw;
    }
    if (process_ != nullptr) process_->restore(who_);
    check_values(values, x.size(0), "value");
    check_series(context.series, x.size(0));
    std::vector<std::string> names;
    for (const ProbeValue& value : values) names.push_back(value.name);
    if (is_first_) names_ = names;
    is_first_ = false;
    if (names != names_) refuse("it gives other values for one batch than for another");
    return values;
  });
}

}  // namespace unmask::engine

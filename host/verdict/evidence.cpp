#include "verdict/evidence.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <utility>

namespace unmask::verdict {
namespace {

Attacks filtered(const Attacks& attacks, const std::function<bool(const Attack&)>& is_wanted) {
  Attacks result;
  for (const Attack* attack : attacks) {
    if (is_wanted(*attack)) result.push_back(attack);
  }
  return result;
}

bool compares_passes(const std::string& probe) {
  static constexpr std::array<std::string_view, 7> kProbes = {"batch_gradient",
                                                              "batch_invariance",
                                                              "finite_differences",
                                                              "gradient_norm",
                                                              "noise_stability",
                                                              "path_discontinuity",
                                                              "spsa_agreement"};
  return std::find(kProbes.begin(), kProbes.end(), probe) != kProbes.end();
}

bool compares_with_alone(const std::string& probe, const std::string& value) {
  return probe == "finite_differences" || probe == "path_discontinuity" ||
         probe == "spsa_agreement" || value == "batch_cosine";
}

}  // namespace

Evidence::Evidence(const Network& network,
                   std::string norm,
                   double epsilon,
                   const Thresholds& thresholds)
    : network_(network), norm_(std::move(norm)), epsilon_(epsilon), thresholds_(thresholds) {
  for (const Attack& attack : network_.attacks) {
    if (attack.norm != norm_ || attack.epsilon != epsilon_) continue;
    attacks_.push_back(&attack);
    if (epsilon_text_.empty()) epsilon_text_ = attack.epsilon_text;
  }
  find_eligible();
  find_plain();
}

void Evidence::find_eligible() {
  for (std::size_t i = 0; i < network_.samples.size(); ++i) {
    bool is_seen = false;
    bool is_right = true;
    for (const Attack* attack : attacks_) {
      const Fate fate = attack->fates[i];
      is_seen = is_seen || fate != Fate::kAbsent;
      is_right = is_right && fate != Fate::kWrong && fate != Fate::kUndecided;
    }
    if (is_seen && is_right) eligible_.push_back(i);
  }
}

void Evidence::find_plain() {
  const auto effort = [](const Attack* a) { return a->steps * a->restarts; };
  const auto is_less = [&](const Attack* a, const Attack* b) { return effort(a) < effort(b); };
  for (const Group group : {Group::kPlain, Group::kAveraged, Group::kOtherLoss}) {
    for (const bool is_alone : {false, true}) {
      const Attacks all = filtered(attacks_, [&](const Attack& a) {
        return a.view == View::kOwn && a.group == group && a.is_capable && a.is_alone == is_alone;
      });
      if (all.empty()) continue;
      Attacks enough =
          filtered(all, [&](const Attack& a) { return a.steps >= threshold("plain_steps"); });
      if (enough.empty()) enough = all;
      const double least = effort(*std::min_element(enough.begin(), enough.end(), is_less));
      plain_ = filtered(enough, [&](const Attack& a) { return effort(&a) == least; });
      return;
    }
  }
}

bool Evidence::is_random() const {
  const auto found = largest("check.randomised", attacks_);
  return found && found->value >= threshold("randomised");
}

bool Evidence::is_another_alone() const {
  std::int64_t n = 0;
  std::int64_t flips = 0;
  for (const Probe& probe : network_.probes) {
    const auto found = probe.values.find("label_flip");
    if (probe.plugin != "batch_invariance" || found == probe.values.end()) continue;
    for (const auto& [sample, flip] : found->second) {
      ++n;
      if (flip > 0) ++flips;
    }
  }
  return !is_random() && static_cast<double>(n) >= threshold("min_probe_samples") &&
         static_cast<double>(flips) >= threshold("share_suspect") * static_cast<double>(n);
}

Attacks Evidence::past_the_batch() const {
  return filtered(attacks_, [](const Attack& a) {
    return a.view == View::kOwn && (a.is_alone || a.group == Group::kBlackBox);
  });
}

Attacks Evidence::past_the_saturation() const {
  return filtered(own(Group::kOtherLoss), [&](const Attack& a) {
    const auto zero = a.metrics.find("check.zero_gradient");
    return a.is_capable && zero != a.metrics.end() && zero->second < threshold("zero_suspect");
  });
}

Attacks Evidence::own(Group group) const {
  return filtered(attacks_,
                  [&](const Attack& a) { return a.view == View::kOwn && a.group == group; });
}

Attacks Evidence::with_view(View view) const {
  return filtered(attacks_, [&](const Attack& a) { return a.view == view; });
}

Attacks Evidence::black_box() const {
  Attacks all = own(Group::kBlackBox);
  const bool is_coupled = std::any_of(all.begin(), all.end(), [](const Attack* a) {
    const auto found = a->metrics.find("batch_coupled");
    return found != a->metrics.end() && found->second > 0;
  });
  if (!is_coupled) return all;
  const Attacks alone = filtered(all, [](const Attack& a) { return a.is_alone; });
  return alone.empty() ? all : alone;
}

bool Evidence::is_eligible(std::int64_t sample) const {
  const auto& samples = network_.samples;
  const auto found = std::lower_bound(samples.begin(), samples.end(), sample);
  return found != samples.end() && *found == sample &&
         std::binary_search(
             eligible_.begin(), eligible_.end(), static_cast<std::size_t>(found - samples.begin()));
}

bool Evidence::is_fooled(std::size_t place, const Attacks& attacks) const {
  return std::any_of(attacks.begin(), attacks.end(), [&](const Attack* attack) {
    return attack->fates[place] == Fate::kFooled;
  });
}

std::int64_t Evidence::left_by(const Attacks& attacks) const {
  return std::count_if(eligible_.begin(), eligible_.end(), [&](std::size_t place) {
    return !is_fooled(place, attacks);
  });
}

std::vector<const Probe*> Evidence::probes(const std::string& plugin,
                                           const std::string& value) const {
  std::vector<const Probe*> result;
  if (compares_passes(plugin) && is_random()) return result;
  if (compares_with_alone(plugin, value) && is_another_alone()) return result;
  for (const Probe& probe : network_.probes) {
    const bool fits = probe.plugin == plugin && probe.values.contains(value) &&
                      (!probe.epsilon || *probe.epsilon == epsilon_) &&
                      (probe.norm.empty() || probe.norm == norm_);
    if (fits) result.push_back(&probe);
  }
  return result;
}

std::optional<Evidence::Found> Evidence::largest(const std::string& metric,
                                                 const Attacks& among) const {
  std::optional<Found> result;
  for (const Attack* attack : among) {
    const auto found = attack->metrics.find(metric);
    if (found == attack->metrics.end()) continue;
    if (!result || found->second > result->value) result = Found{found->second, attack};
  }
  return result;
}

}  // namespace unmask::verdict

#include "verdict/traces.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "verdict/measures.hpp"

namespace unmask::verdict {
namespace {

// The sample of a series "<name>.<sample>".
std::optional<std::int64_t> sample_of(const std::string& series, const std::string& name) {
  const std::string prefix = name + ".";
  if (series.rfind(prefix, 0) != 0) return std::nullopt;
  std::int64_t sample = 0;
  const char* end = series.data() + series.size();
  const auto [last, error] = std::from_chars(series.data() + prefix.size(), end, sample);
  if (error != std::errc() || last != end) return std::nullopt;
  return sample;
}

}  // namespace

Measurement share_of_traces(const Evidence& evidence,
                            const std::string& name,
                            const std::function<bool(const Trace&)>& has_property,
                            const std::string& what) {
  const auto& samples = evidence.network().samples;
  Measurement best;
  for (const Attack* attack : evidence.attacks()) {
    if (attack->view != View::kOwn) continue;
    Marks marks;
    for (const auto& [series, values] : attack->series) {
      const auto sample = sample_of(series, name);
      const bool is_finite = std::all_of(
          values.begin(), values.end(), [](double value) { return std::isfinite(value); });
      if (!sample || values.empty() || !is_finite) continue;
      const auto place = std::lower_bound(samples.begin(), samples.end(), *sample);
      if (place == samples.end() || *place != *sample) continue;
      const auto index = static_cast<std::size_t>(place - samples.begin());
      marks.emplace_back(*sample, has_property({values, attack->fates[index]}));
    }
    Measurement found = share_of_marks(evidence, marks, what + " (" + attack->name + ")");
    found.cells = {attack->cell};
    keep_larger(best, std::move(found));
  }
  return best;
}

}  // namespace unmask::verdict

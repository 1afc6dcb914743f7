#pragma once
// What rules measure, once: what one attack finds and another does not, and how many samples have a
// property.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "verdict/rule.hpp"

namespace unmask::verdict {

/// Share of the eligible samples that `second` fools and `first` does not, both taken together, with
/// the exact one-sided test that this is more than the other way round. No value when one of them
/// is empty, or with fewer than min_samples.
/// Of a network that is random: the one attack of `second` that finds most more than the strongest one
/// of `first`; the value is the difference of the two shares, its interval that of Newcombe.
Measurement paired_gap(const Evidence& evidence, const Attacks& first, const Attacks& second);

/// Share of the eligible samples for which a probe's value has a property. Values that are no number
/// do not count. Of several probe cells the one with the largest share. No value with fewer than
/// min_probe_samples.
/// @param what  of the value, for the sentence: "have a cosine below 0.5"
Measurement share_of_samples(const Evidence& evidence,
                             const std::string& probe,
                             const std::string& value,
                             const std::function<bool(double)>& has_property,
                             const std::string& what);

/// Likewise of one probe cell.
Measurement share_of_probe(const Evidence& evidence,
                           const Probe& probe,
                           const std::string& value,
                           const std::function<bool(double)>& has_property,
                           const std::string& what);

/// Share of these samples, of which those that are not eligible do not count, that have a property.
/// No value with fewer than min_probe_samples.
using Marks = std::vector<std::pair<std::int64_t, bool>>;  // sample, has it
Measurement share_of_marks(const Evidence& evidence, const Marks& marks, const std::string& what);

/// k of n with its interval, without a sentence. n > 0.
Measurement share_of_counts(std::int64_t k, std::int64_t n);

/// Put `found` in the place of `best` if its value is larger.
void keep_larger(Measurement& best, Measurement found);

/// The largest value of a metric of attack cells. No value when nobody has it.
Measurement largest_metric(const Evidence& evidence,
                           const std::string& metric,
                           const Attacks& among,
                           const std::string& what);

/// Pairs of attacks that differ in one parameter alone (`step_size` apart): the smallest value and
/// the largest, which is at least twice as much; the pair with the largest gap.
Measurement effort_gap(const Evidence& evidence, const std::string& parameter);

/// "pgd", "pgd and apgd", "pgd, apgd and 3 more".
std::string names_of(const Attacks& attacks);

/// 0.1234 as "12.3 %".
std::string percent(double share);

/// "14 of 90 (15.6 %, 95 % interval 9.5 to 24.4 %)".
std::string count_text(std::int64_t k, std::int64_t n);

/// A number with at most three significant digits.
std::string short_number(double value);

std::vector<std::int64_t> cells_of(const Attacks& attacks);

}  // namespace unmask::verdict

// What every probe must keep: one named value per sample, the same every time, and the whole batch
// in order, or an image alone, for a target whose samples influence each other.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <torch/types.h>

#include "conformance/kinds.hpp"
#include "unmask/probe.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::conformance {
namespace probes {
namespace {

using test::LinearTarget;

struct Batch {
  Tensor x = SampleRandom(3, {0, 1, 2, 3}).uniform(at::empty({4, 1, 4, 4}, at::kFloat), 0, 1);
  Tensor y = at::tensor({0, 2, 1, 1}, at::kLong);
  Tensor weight = SampleRandom(4, {0, 1, 2}).normal(at::empty({3, 16}, at::kFloat));
  LinearTarget target() const { return {weight, at::zeros({3}, at::kFloat)}; }
};

std::vector<ProbeValue> measure(const Subject& subject, Target& target, const Batch& batch) {
  const std::vector<std::int64_t> ids = {0, 1, 2, 3};
  ProbeContext context(SampleRandom(1, ids), ids);
  return subject.make<Probe>()->measure(target, batch.x, batch.y, context);
}

void gives_a_number_per_sample(const Subject& subject, Findings& findings) {
  const Batch batch;
  LinearTarget target = batch.target();
  const auto values = measure(subject, target, batch);
  findings.expect(!values.empty(), "it measures nothing");
  for (const ProbeValue& value : values) {
    findings.expect(value.values.defined() && value.values.sizes() == at::IntArrayRef({4}),
                    "\"" + value.name + "\" is not one number for each of 4 samples");
    findings.expect(value.values.defined() && value.values.is_floating_point(),
                    "\"" + value.name + "\" is not of a floating type");
  }
}

// As the host wants it: lower snake case, parts joined by dots.
bool is_good_name(const std::string& name) {
  bool starts_part = true;
  for (const char c : name) {
    const bool is_letter = c >= 'a' && c <= 'z';
    const bool is_inside = is_letter || (c >= '0' && c <= '9') || c == '_' || c == '.';
    if (starts_part ? !is_letter : !is_inside) return false;
    starts_part = c == '.';
  }
  return !starts_part;
}

void names_its_values(const Subject& subject, Findings& findings) {
  const Batch batch;
  LinearTarget target = batch.target();
  std::set<std::string> names;
  for (const ProbeValue& value : measure(subject, target, batch)) {
    findings.expect(is_good_name(value.name), "\"" + value.name + "\" is not lower_snake_case");
    findings.expect(names.insert(value.name).second, "\"" + value.name + "\" comes twice");
  }
}

void repeats_itself(const Subject& subject, Findings& findings) {
  const Batch batch;
  LinearTarget target = batch.target();
  const auto first = measure(subject, target, batch);
  const auto second = measure(subject, target, batch);
  findings.expect(first.size() == second.size(), "a second time it gives another number of values");
  for (std::size_t i = 0; i < first.size() && i < second.size(); ++i) {
    // NaN equals NaN here: a value that cannot be told is the same answer twice.
    findings.expect(at::allclose(first[i].values, second[i].values, 0, 0, /*equal_nan=*/true),
                    "\"" + first[i].name + "\" differs a second time");
  }
}

void leaves_its_input_alone(const Subject& subject, Findings& findings) {
  const Batch batch;
  const Tensor x = batch.x.clone();
  const Tensor y = batch.y.clone();
  LinearTarget target = batch.target();
  measure(subject, target, batch);
  findings.expect(at::equal(batch.x, x) && at::equal(batch.y, y),
                  "it changes the images or labels that it is given");
}

void passes_whole_batches(const Subject& subject, Findings& findings) {
  const Batch batch;
  LinearTarget target = batch.target();
  target.coupled(0.1).recording();
  measure(subject, target, batch);
  for (const test::Call& call : target.calls()) {
    const bool is_whole = call.x.size(0) == 4 &&
                          (!call.rows.defined() || at::equal(call.rows, at::arange(4, at::kLong)));
    // Alone on purpose: an image whose row is named.
    const bool is_alone = call.x.size(0) == 1 && call.rows.defined();
    findings.expect(is_whole || is_alone,
                    "a call leaves rows out, and is not about a single image whose row it names");
  }
}

constexpr Claim kClaims[] = {
    {"gives one number per sample", gives_a_number_per_sample},
    {"gives every value a lower_snake_case name of its own", names_its_values},
    {"repeats itself", repeats_itself},
    {"leaves its input alone", leaves_its_input_alone},
    {"passes whole batches or single images where samples influence each other",
     passes_whole_batches},
};

}  // namespace
}  // namespace probes

std::span<const Claim> probe_claims() {
  return probes::kClaims;
}

}  // namespace unmask::conformance

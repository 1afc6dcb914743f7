#include "conformance/claim.hpp"

#include <algorithm>
#include <cctype>
#include <exception>
#include <sstream>

#include <c10/util/Exception.h>

#include "conformance/kinds.hpp"
#include "unmask/errors.hpp"

namespace unmask::conformance {
namespace {

constexpr std::size_t kMostProblems = 5;

std::string text(double value) {
  std::ostringstream out;
  out.precision(4);
  out << value;
  return out.str();
}

}  // namespace

const ParamSpec* Subject::param(std::string_view name) const {
  const auto found = std::find_if(
      params.begin(), params.end(), [&](const ParamSpec& spec) { return spec.name == name; });
  return found == params.end() ? nullptr : &*found;
}

Params Subject::complete(const Values& other) const {
  Values all = other;
  all.insert(values.begin(), values.end());
  return {params, std::move(all)};
}

void Findings::expect(bool holds, const std::string& otherwise) {
  if (holds || problems_.size() > kMostProblems) return;
  // Claims go over norms, batches and radii: the first few counterexamples say enough.
  problems_.push_back(problems_.size() < kMostProblems ? otherwise : "... and more");
}

void Findings::at_most(double value, double limit, const std::string& what) {
  expect(value <= limit, what + " is " + text(value) + ", at most " + text(limit) + " is allowed");
}

Verdict try_claim(const Claim& claim, const Subject& subject) {
  Findings findings;
  std::string thrown;
  try {
    claim.experiment(subject, findings);
  } catch (const c10::Error& problem) {
    thrown = problem.what_without_backtrace();
  } catch (const std::exception& problem) {
    thrown = problem.what();
  } catch (...) {
    thrown = "something that is no std::exception";
  }
  Verdict verdict{findings.problems(), findings.reason()};
  if (!thrown.empty()) verdict.problems.push_back("it threw: " + thrown);
  return verdict;
}

std::span<const Claim> claims_of(std::string_view kind) {
  if (kind == "solver") return solver_claims();
  if (kind == "model") return model_claims();
  if (kind == "attack") return attack_claims();
  if (kind == "dataset") return dataset_claims();
  if (kind == "objective") return objective_claims();
  if (kind == "probe") return probe_claims();
  throw InternalError("there is no kind of plugin \"" + std::string(kind) + "\"");
}

std::string identifier(const Claim& claim) {
  std::string name;
  for (const char c : std::string_view(claim.words)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      name.push_back(c);
    } else if (!name.empty() && name.back() != '_') {
      name.push_back('_');
    }
  }
  return name;
}

}  // namespace unmask::conformance

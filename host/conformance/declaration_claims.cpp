// What can be told from a declaration and from one construction.

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "conformance/claim.hpp"
#include "conformance/kinds.hpp"
#include "text/suggest.hpp"
#include "unmask/attack.hpp"
#include "unmask/dataset.hpp"
#include "unmask/objective.hpp"
#include "unmask/probe.hpp"
#include "unmask/solver.hpp"

namespace unmask::conformance {
namespace declarations {
namespace {

// The capabilities that the host gives a meaning to.
std::vector<std::string> known_capabilities(const std::string& kind) {
  if (kind == "solver") return {"adaptive"};
  if (kind == "model") return {"ode"};
  if (kind == "attack") return {"gradient_free", "asks_outside_ball", "whole"};
  if (kind == "probe") return {"whole"};
  if (kind == "dataset") return {"content_from_params"};
  return {};
}

template <class Base>
void construct_as(const Subject& subject, const Params& params, const ModelContext* context) {
  const std::unique_ptr<Base> instance(static_cast<Base*>(subject.create(params, context)));
}

// Made from `params` and dropped again.
void construct(const Subject& subject, const Params& params) {
  if (subject.kind == "solver") construct_as<Method>(subject, params, nullptr);
  if (subject.kind == "model") construct_as<Model>(subject, params, &kImageShapes[0]);
  if (subject.kind == "attack") construct_as<Attack>(subject, params, nullptr);
  if (subject.kind == "dataset") construct_as<Dataset>(subject, params, nullptr);
  if (subject.kind == "objective") construct_as<Objective>(subject, params, nullptr);
  if (subject.kind == "probe") construct_as<Probe>(subject, params, nullptr);
}

void is_of_its_kind(const Subject& subject, Findings& findings) {
  findings.expect(subject.built_as.empty() || subject.built_as == subject.kind,
                  "it was built as " + subject.built_as + ", and its class is of the kind " +
                      subject.kind + "; the class decides: write unmask_add_plugin(" +
                      subject.kind + " " + subject.id + " ...), or derive it from another base");
}

void declares_a_sound_table(const Subject& subject, Findings& findings) {
  if (const auto problem = table_violation(subject.params)) findings.expect(false, *problem);
}

void claims_what_the_host_knows(const Subject& subject, Findings& findings) {
  const std::vector<std::string> known = known_capabilities(subject.kind);
  for (const std::string& word : subject.capabilities) {
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    std::string help = words::did_you_mean(words::nearest(word, known));
    if (help.empty()) {
      help = known.empty() ? "the kind " + subject.kind + " has none"
                           : "known: " + words::listing(known);
    }
    findings.expect(false, "the capability \"" + word + "\" means nothing to the host; " + help);
  }
}

void can_be_made(const Subject& subject, Findings&) {
  construct(subject, subject.complete());
}

void reads_its_parameters(const Subject& subject, Findings& findings) {
  const Params params = subject.complete();
  construct(subject, params);
  for (const std::string& name : params.unread()) {
    findings.expect(false, "its constructor never reads \"" + name + "\"");
  }
}

void is_adaptive_as_claimed(const Subject& subject, Findings& findings) {
  if (subject.kind != "solver") return findings.does_not_apply("it is no solver");
  const MethodTraits traits = subject.make<Method>()->traits();
  findings.expect(traits.is_adaptive == subject.has("adaptive"),
                  traits.is_adaptive
                      ? "it gives an error estimate and lacks the capability \"adaptive\""
                      : "it has the capability \"adaptive\" and gives no error estimate");
}

constexpr Claim kClaims[] = {
    {"is of the kind that it was built as", is_of_its_kind},
    {"declares its parameters soundly", declares_a_sound_table},
    {"claims capabilities that the host knows", claims_what_the_host_knows},
    {"can be made from these parameters", can_be_made},
    {"reads every declared parameter in its constructor", reads_its_parameters},
    {"claims to be adaptive exactly when it estimates its error", is_adaptive_as_claimed},
};

}  // namespace
}  // namespace declarations

std::span<const Claim> declaration_claims() {
  return declarations::kClaims;
}

const Claim& construction_claim() {
  return *std::find_if(
      std::begin(declarations::kClaims), std::end(declarations::kClaims), [](const Claim& claim) {
        return claim.experiment == declarations::can_be_made;
      });
}

}  // namespace unmask::conformance

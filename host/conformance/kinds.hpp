#pragma once
// The claims of each kind; one file each.

#include <span>

#include "conformance/claim.hpp"

namespace unmask::conformance {

/// The one of declaration_claims() that the plugin can be made.
const Claim& construction_claim();

std::span<const Claim> solver_claims();
std::span<const Claim> model_claims();
std::span<const Claim> attack_claims();
std::span<const Claim> dataset_claims();
std::span<const Claim> objective_claims();
std::span<const Claim> probe_claims();

}  // namespace unmask::conformance

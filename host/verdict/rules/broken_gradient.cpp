#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// A gradient that is not finite cannot be followed.
const Rule kBrokenGradient = {.id = "broken_gradient",
                              .question = "Are the gradients finite numbers?",
                              .source = "check of every attack, docs/attacks.md",
                              .about = "gradient",
                              .needs = "the plain gradient attack",
                              .statistic = "share of samples of which a gradient was not finite",
                              .says = "gradients are not finite",
                              .decides_at = "zero_masked",
                              .symptom_at = "zero_suspect",
                              .is_about_gradient = true,
                              .supply = kSupplyPlain,
                              .measure = [](const Evidence& e) {
                                return largest_metric(
                                    e,
                                    "check.gradient_not_finite",
                                    e.plain(),
                                    "share of samples of which a gradient was not finite");
                              }};

}  // namespace unmask::verdict::rules

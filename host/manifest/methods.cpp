#include "manifest/methods.hpp"

#include "manifest/text.hpp"

namespace unmask::manifest::matrix {

std::optional<AxisValue> Methods::read_clean(const Node& node) {
  const Definitions& definitions = context_.definitions;
  Reporter& reporter = context_.reporter;
  if (!expect(node, Node::Kind::kBoolean, "\"clean\"", reporter)) {
    context_.taint();
    return std::nullopt;
  }
  if (!node.boolean) return std::nullopt;
  if (const auto index = definitions.index("attack", "clean")) {
    const ResolvedDefinition& own = definitions.of("attack")[*index];
    if (own.is_valid() && (own.is_ensemble() || own.plugin->id != "none")) {
      context_.taint();
      reporter.at_key(code::kBadName,
                      node,
                      "\"clean\": true needs the attack name \"clean\", which is defined " +
                          (own.is_ensemble() ? std::string("as an ensemble")
                                             : "with the plugin " + in_quotes(own.plugin->id)),
                      "rename that attack");
      return std::nullopt;
    }
    return static_cast<AxisValue>(*index);
  }
  implied_clean_ = definitions.plain("attack", "clean", "none");
  if (!implied_clean_) {
    context_.taint();
    reporter.at_key(code::kUnknownPlugin,
                    node,
                    "\"clean\": true needs the attack plugin \"none\", which is not installed");
    return std::nullopt;
  }
  values_.add_implied_name("attack", "clean");
  return static_cast<AxisValue>(definitions.of("attack").size());
}

const ResolvedDefinition& Methods::attack(AxisValue value) const {
  const std::vector<ResolvedDefinition>& defined = context_.definitions.of("attack");
  const auto index = static_cast<std::size_t>(value);
  return index < defined.size() ? defined[index] : *implied_clean_;
}

const ResolvedDefinition& Methods::probe(AxisValue value) const {
  return context_.definitions.of("probe")[static_cast<std::size_t>(value)];
}

const std::optional<SharedDefinition>& Methods::definition_for(const Row& row) {
  const bool is_probe = row[kProbe] != kNone;
  const AxisValue which = is_probe ? row[kProbe] : row[kAttack];
  const ResolvedDefinition& method = is_probe ? probe(which) : attack(which);
  // Only methods that use epsilon differ between epsilons.
  const AxisValue epsilon = method.uses_epsilon() ? row[kEpsilon] : kNone;
  auto& known = is_probe ? probes_ : attacks_;
  const auto [found, is_new] = known.try_emplace({which, epsilon});
  if (is_new) {
    if (std::optional<Definition> made = define(method, epsilon)) found->second = *std::move(made);
  }
  return found->second;
}

std::optional<Definition> Methods::define(const ResolvedDefinition& method, AxisValue epsilon) {
  if (!method.is_valid()) return std::nullopt;
  if (!method.uses_epsilon()) return method.definition;
  // A clean cell whose attack the user defined himself has no epsilon.
  if (epsilon == kNone) return at_epsilon(method, 0, "0", context_.reporter);
  const EpsilonValue& e = values_.epsilon(epsilon);
  return at_epsilon(method, e.value, e.text, context_.reporter);
}

}  // namespace unmask::manifest::matrix

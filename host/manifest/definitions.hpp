#pragma once
// The "define" object: names -> plugins with complete, checked parameters.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/catalog.hpp"
#include "manifest/param_value.hpp"
#include "manifest/paths.hpp"
#include "manifest/study.hpp"
#include "manifest/sweep.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest {

struct ResolvedDefinition {
  Definition definition;
  const catalog::PluginRecord* plugin = nullptr;  ///< nullptr: an ensemble, or there are errors
  std::vector<ResolvedDefinition> members;        ///< of an ensemble
  Place place;
  std::vector<EpsilonUse> uses;
  std::string written;                 ///< its name, or that of the swept definition it comes from
  std::map<std::string, Place> swept;  ///< swept parameter -> where its values are written

  bool is_valid() const { return plugin != nullptr || is_ensemble(); }
  bool is_ensemble() const { return !members.empty(); }
  /// True when some parameter, of a member too, is a formula in epsilon.
  bool uses_epsilon() const;
  /// True when it asks for no gradient: an ensemble when none of its members does.
  bool is_gradient_free() const;
};

class Definitions {
 public:
  Definitions(const catalog::Catalog& catalog, Paths& paths, Reporter& reporter)
      : catalog_(catalog), paths_(paths), reporter_(reporter) {}

  /// Read and check all definitions. `define` may be nullptr.
  void read(const Node* define);

  /// The definitions of a kind ("solver") in the order of the manifest. Broken ones are among them,
  /// so that their names are known.
  const std::vector<ResolvedDefinition>& of(std::string_view kind) const;
  const std::vector<std::string>& names(std::string_view kind) const;
  std::optional<std::size_t> index(std::string_view kind, std::string_view name) const;

  /// Help for a name that is not defined for `kind`.
  std::string help(std::string_view kind,
                   std::string_view name,
                   const std::vector<std::string>& tokens = {}) const;

  /// A definition of a plugin without any given parameters (for clean cells); nullopt when the
  /// plugin is not installed.
  std::optional<ResolvedDefinition> plain(const std::string& kind,
                                          const std::string& name,
                                          const std::string& plugin) const;

 private:
  struct Kind {
    std::vector<ResolvedDefinition> definitions;
    std::vector<std::string> names;
    std::map<std::string, std::size_t, std::less<>> index;
    std::vector<DefinitionText> texts;
    std::set<std::string, std::less<>> families;  ///< names of swept definitions
  };

  void read_names(const std::string& kind, const Node& object);
  void read_kind(const std::string& kind);
  // Ensembles: keys, then, when all attacks are known, the members. See ensembles.cpp.
  void check_ensemble(const std::string& kind, const Node& merged, ResolvedDefinition& out);
  void read_members(const Node& members,
                    const std::vector<bool>& is_ensemble,
                    const Kind& table,
                    ResolvedDefinition& out);
  // Reports the first member that differs.
  bool share_batch_size(const Node& members,
                        const std::vector<std::size_t>& chosen,
                        const Kind& table);
  std::vector<std::size_t> find_members(const Node& item,
                                        const std::string& word,
                                        const std::vector<bool>& is_ensemble,
                                        const Kind& table,
                                        const ResolvedDefinition& ensemble);
  // Of probes. See probe_gradients.cpp.
  void read_gradients(const std::string& kind, const Node& gradients, ResolvedDefinition& out);
  void resolve(const std::string& kind, const Node& merged, bool is_whole, ResolvedDefinition& out);
  void read_params(const std::string& kind,
                   const Node* params,
                   bool is_whole,
                   ResolvedDefinition& out);
  void read_own_keys(const std::string& kind, const Node& merged, ResolvedDefinition& out);
  void check_together(const std::string& kind,
                      const Node* params,
                      const ResolvedDefinition& definition);

  const catalog::Catalog& catalog_;
  Paths& paths_;
  Reporter& reporter_;
  std::map<std::string, Kind, std::less<>> kinds_;
};

/// The definition with its epsilon placeholders replaced. A value outside its declared range is
/// reported at the definition; nullopt then.
std::optional<Definition> at_epsilon(const ResolvedDefinition& definition,
                                     double epsilon,
                                     const std::string& epsilon_text,
                                     Reporter& reporter);

}  // namespace unmask::manifest

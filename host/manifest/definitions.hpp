#pragma once
// The "define" object: names -> plugins with complete, checked parameters.

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loader/catalog.hpp"
#include "manifest/diagnostics.hpp"
#include "manifest/source.hpp"
#include "manifest/study.hpp"

namespace unmask::manifest {

/// Resolves the values of path parameters: ${paths.NAME}, ${env:NAME}, relative paths.
class Paths {
 public:
  /// @param folders  the folder of each file, to which its relative paths refer
  Paths(const Node* paths,
        std::map<const Source*, std::filesystem::path> folders,
        Reporter& reporter);

  /// The path that a string value stands for. A placeholder whose environment variable is not set
  /// stays as written: a manifest can be checked without its data, and running reports the literal
  /// text. An empty text stays empty.
  std::string resolve(const Node& value);

 private:
  std::string substitute(const Node& value, std::vector<std::string>& chain);

  std::map<std::string, const Node*> named_;
  std::map<const Source*, std::filesystem::path> folders_;
  std::set<std::string> in_cycle_;  // reported once
  Reporter& reporter_;
};

/// A parameter written as "${epsilon}*k" or "${epsilon}/k".
struct EpsilonUse {
  ParamSpec spec;
  bool divides = false;
  double factor = 1;
  std::string text;
  Place place;
};

struct ResolvedDefinition {
  Definition definition;
  const loader::PluginRecord* plugin = nullptr;  ///< nullptr: the definition has errors
  Place place;
  std::vector<EpsilonUse> uses;
};

class Definitions {
 public:
  Definitions(const loader::Catalog& catalog, Paths& paths, Reporter& reporter)
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
  };

  void read_kind(const std::string& kind, const Node& object);
  void resolve(const std::string& kind, const Node& merged, bool is_whole, ResolvedDefinition& out);
  void read_params(const std::string& kind,
                   const Node* params,
                   bool is_whole,
                   ResolvedDefinition& out);
  std::optional<ParamValue> read_value(const std::string& kind,
                                       const ParamSpec& spec,
                                       const Node& node,
                                       ResolvedDefinition& out);
  void check_together(const std::string& kind,
                      const Node* params,
                      const ResolvedDefinition& definition);

  const loader::Catalog& catalog_;
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

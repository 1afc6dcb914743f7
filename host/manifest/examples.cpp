#include "manifest/examples.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/files.hpp"
#include "manifest/param_value.hpp"
#include "manifest/paths.hpp"
#include "manifest/text.hpp"
#include "text/diagnostics.hpp"
#include "text/source.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::manifest {
namespace {

namespace fs = std::filesystem;

// Reads parameters of one plugin, with the rules and messages of manifests.
class ExampleReading {
 public:
  ExampleReading(const catalog::PluginRecord& plugin,
                 std::string name,
                 std::string text,
                 fs::path folder)
      : plugin_(plugin),
        source_(std::move(name), std::move(text)),
        paths_(nullptr, {{&source_, std::move(folder)}}, reporter_) {}

  // The root, which must be an object. @throws ManifestError
  Node parse() {
    std::optional<Node> root = source_.parse(reporter_.raw());
    throw_errors();
    if (!root->is(Node::Kind::kObject)) {
      reporter_.at_value(code::kWrongType, *root, "expected an object of names and parameters");
    }
    throw_errors();
    return *std::move(root);
  }

  PluginExample example(std::string name, const Node& node) {
    PluginExample out{std::move(name)};
    if (!node.is(Node::Kind::kObject)) {
      reporter_.at_value(code::kWrongType,
                         node,
                         "an example is an object of parameters, as \"params\" in a manifest");
      return out;
    }
    for (const Member& member : node.members) read(member, out);
    for (const ParamSpec& spec : plugin_.params) {
      if (spec.is_required() && node.find(spec.name) == nullptr) {
        reporter_.at_value(code::kMissingParameter,
                           node,
                           "parameter " + in_quotes(spec.name) + " is required",
                           declared(spec));
      }
    }
    return out;
  }

  void throw_errors() {
    const auto errors = reporter_.take({source_.name()});
    if (!errors.empty()) throw ManifestError("\n" + to_text(errors));
  }

 private:
  void read(const Member& member, PluginExample& out) {
    const auto& specs = plugin_.params;
    const auto spec = std::find_if(
        specs.begin(), specs.end(), [&](const ParamSpec& s) { return s.name == member.key; });
    if (spec == specs.end()) {
      std::vector<std::string> names;
      names.reserve(specs.size());
      for (const ParamSpec& s : specs) names.push_back(s.name);
      reporter_.at_key(
          code::kUnknownParameter,
          member.value,
          plugin_.kind + " " + plugin_.id + " declares no parameter " + in_quotes(member.key),
          help_for_unknown(member.key, names, "declared"));
      return;
    }
    std::vector<EpsilonUse> uses;
    const auto value = read_param_value(plugin_.kind, *spec, member.value, paths_, uses, reporter_);
    if (!uses.empty()) {
      reporter_.at_value(code::kPlaceholder,
                         member.value,
                         "no placeholder is allowed in an example",
                         "write the number itself");
    } else if (value) {
      out.params[member.key] = to_json_value(*value);
    }
  }

  const catalog::PluginRecord& plugin_;
  Reporter reporter_;
  Source source_;
  Paths paths_;
};

}  // namespace

std::optional<fs::path> examples_beside(const fs::path& library) {
  fs::path file = library;
  file.replace_extension(".examples.json");
  return fs::exists(file) ? std::optional(file) : std::nullopt;
}

std::vector<PluginExample> read_examples(const fs::path& file,
                                         const catalog::PluginRecord& plugin) {
  // In a build folder the file is a link to the plugin's own: relative paths are relative to that.
  std::error_code error;
  fs::path real = fs::canonical(file, error);
  if (error) real = file;
  ExampleReading reading(plugin, real.string(), base::read_file(real), real.parent_path());
  const Node root = reading.parse();
  std::vector<PluginExample> examples;
  for (const Member& member : root.members) {
    examples.push_back(reading.example(member.key, member.value));
  }
  reading.throw_errors();
  if (examples.empty()) throw ManifestError(real.string() + " holds no example");
  return examples;
}

PluginExample parse_example(const std::string& text, const catalog::PluginRecord& plugin) {
  ExampleReading reading(plugin, "--params", text, fs::current_path());
  const Node root = reading.parse();
  PluginExample example = reading.example("--params", root);
  reading.throw_errors();
  return example;
}

std::optional<PluginExample> default_example(const catalog::PluginRecord& plugin) {
  if (!required_parameters(plugin).empty()) return std::nullopt;
  return PluginExample{"defaults"};
}

std::string required_parameters(const catalog::PluginRecord& plugin) {
  std::string names;
  for (const ParamSpec& spec : plugin.params) {
    if (spec.is_required()) names += (names.empty() ? "\"" : ", \"") + spec.name + "\"";
  }
  return names;
}

}  // namespace unmask::manifest

// unmask import: make a safetensors file from elsewhere fit a model, and say how a manifest uses
// it.

#include <charconv>
#include <iostream>
#include <map>

#include "catalog/host_options.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "manifest/definitions.hpp"
#include "manifest/keys.hpp"
#include "text/diagnostics.hpp"
#include "text/names.hpp"
#include "text/source.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using OrderedJson = nlohmann::ordered_json;

std::int64_t positive_number(std::string_view text, const std::string& option) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < 1) {
    throw UsageError(option + ": \"" + std::string(text) + "\" is not a number of at least 1");
  }
  return value;
}

// "3,32,32"
std::vector<std::int64_t> read_shape(const std::string& text) {
  std::vector<std::int64_t> shape;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    shape.push_back(positive_number(text.substr(begin, comma - begin), "--input-shape"));
    begin = comma + 1;
  }
  if (shape.size() != 3) {
    throw UsageError("--input-shape must be channels,height,width, for example 3,32,32, not \"" +
                     text + "\"");
  }
  return shape;
}

// The words of --params as one JSON object: either they are one already, or each is NAME=VALUE with
// a value in JSON; what is no JSON is a string.
std::string params_text(const std::vector<std::string>& words) {
  if (words.size() == 1 && words.front().find_first_not_of(" \t\n") != std::string::npos &&
      words.front()[words.front().find_first_not_of(" \t\n")] == '{') {
    return words.front();
  }
  std::string text = "{";
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw UsageError("--params takes one JSON object, or words NAME=VALUE; \"" + word +
                       "\" is neither");
    }
    const std::string value = word.substr(equals + 1);
    text += (text.size() > 1 ? ",\n " : "") + OrderedJson(word.substr(0, equals)).dump() + ": " +
            (OrderedJson::accept(value) ? value : OrderedJson(value).dump());
  }
  return text + "}";
}

// A definition of the model, checked by the rules of manifests.
struct Model {
  manifest::Definition definition;
  OrderedJson written;  // the parameters that were given, files and folders with their whole path
};

Model read_model(const catalog::Catalog& catalog,
                 const std::string& plugin,
                 const std::string& name,
                 const std::string& params) {
  if (catalog.find("model", plugin) == nullptr) {
    std::string help = words::help_for_unknown(plugin, catalog.ids("model"), "installed");
    throw PluginError("no model plugin \"" + plugin + "\"\n" + help);
  }
  // The parameters begin a line of their own, so that messages count columns as the user does.
  words::Source source("--params",
                       "{\"model\": {" + OrderedJson(name).dump() + ": {\"plugin\": " +
                           OrderedJson(plugin).dump() + ", \"params\":\n" + params + "\n}}}");
  words::Reporter reporter;
  manifest::Paths paths(nullptr, {{&source, fs::current_path()}}, reporter);
  manifest::Definitions definitions(catalog, paths, reporter);
  const std::optional<words::Node> root = source.parse(reporter.raw());
  if (root) definitions.read(&*root);
  const std::vector<words::Diagnostic> errors = reporter.take({source.name()});
  if (!errors.empty()) {
    std::string text = "the parameters of the model have errors";
    for (const words::Diagnostic& error : errors) text += "\n" + words::to_text(error);
    throw ManifestError(text);
  }
  Model model;
  model.definition = definitions.of("model").front().definition;
  model.written = OrderedJson::object();
  const OrderedJson given = OrderedJson::parse(params, nullptr, true, /*ignore_comments=*/true);
  for (const auto& [key, value] : given.items()) {
    if (!manifest::is_ignored_key(key) && !value.is_null()) {
      model.written[key] = model.definition.params.at(key);
    }
  }
  return model;
}

// One member of an object, with the nested objects on one line.
std::string definition_line(const char* kind, const std::string& name, const OrderedJson& value) {
  std::string key = "\"" + std::string(kind) + "\": ";
  key.resize(13, ' ');
  return key + "{ " + OrderedJson(name).dump() + ": " + value.dump() + " }";
}

void print_snippet(const std::string& name,
                   const std::string& plugin,
                   const Model& model,
                   const fs::path& file) {
  OrderedJson definition = {{"plugin", plugin}};
  if (!model.written.empty()) definition["params"] = model.written;
  const OrderedJson objective = {{"plugin", "cross_entropy"},
                                 {"params", {{"epochs", 0}, {"weights", file.string()}}}};
  std::cout << "// For \"define\" of a manifest; \"train\" then names both, with \"model\": [\""
            << name << "\"], \"objective\": [\"" << name << "\"].\n"
            << definition_line("model", name, definition) << ",\n"
            << definition_line("objective", name, objective) << "\n";
}

void declare_options(CommandLine& line) {
  line.positional("file", "the safetensors file");
  line.options().add_options()(
      "model", po::value<std::string>()->required(), "plugin id of the model, e.g. sonet")(
      "params",
      po::value<std::vector<std::string>>()->multitoken()->composing(),
      "parameters of the model: a JSON object, or NAME=VALUE ...")(
      "input-shape",
      po::value<std::string>()->required(),
      "channels,height,width of the images, e.g. 3,32,32")(
      "classes", po::value<std::string>()->required(), "number of classes")(
      "names",
      po::value<std::string>(),
      "JSON file that maps names in the file to names in the model, e.g. {\"module.*\": \"*\"}")(
      "output", po::value<std::string>()->default_value("results/imported"), "folder to write to")(
      "name",
      po::value<std::string>(),
      "name of the definitions and of the written file; default: the name of the file");
  line.add_plugin_dir();
}

}  // namespace

int command_import(const Arguments& arguments) {
  CommandLine line(
      "import FILE --model ID --input-shape C,H,W --classes K [options]",
      "Checks a safetensors file against a model, names everything that does not fit at once, and "
      "writes it\nagain under the model's own names. Prints the definitions that a manifest needs "
      "to use it. How to make\nsuch a file from a PyTorch state_dict: docs/bring-your-own.md.");
  declare_options(line);
  if (!line.parse(arguments)) return 0;
  const fs::path file = line.required("file");
  const std::string name = line.find<std::string>("name").value_or(file.stem().string());
  if (!words::is_valid_name(name)) {
    throw UsageError(
        "\"" + name +
        "\" cannot be the name of a definition; give --name with letters, digits, '.', "
        "'_', '+' and '-', beginning with a letter or digit");
  }
  const std::vector<std::int64_t> shape = read_shape(line.get<std::string>("input-shape"));
  const std::int64_t classes = positive_number(line.get<std::string>("classes"), "--classes");
  const std::string params = params_text(
      line.find<std::vector<std::string>>("params").value_or(std::vector<std::string>{}));

  const HostContext host(line.plugin_dirs());
  const auto plugin = line.get<std::string>("model");
  const Model model = read_model(host.catalog(), plugin, name, params);
  const fs::path output =
      fs::absolute(fs::path(line.get<std::string>("output")) / (name + ".safetensors"))
          .lexically_normal();
  nlohmann::json request = {{"model", plugin},
                            {"params", model.definition.params},
                            {"shape", shape},
                            {"classes", classes},
                            {"file", file.string()},
                            {"names", nullptr},
                            {"output", output.string()},
                            {"plugins", host.plugin_files()}};
  if (line.has("names")) request["names"] = line.get<std::string>("names");
  constexpr double kLongest = 3600;
  const nlohmann::json report = host.ask_engine("import", request, kLongest);
  for (const nlohmann::json& rule : report.at("unused_rules")) {
    std::cerr << "note: no tensor fits the rule " << rule.dump() << " of the table of names\n";
  }
  std::cerr << "imported " << report.at("tensors") << " tensors with " << report.at("values")
            << " values into " << output.string() << "\n";
  print_snippet(name, plugin, model, output);
  return 0;
}

}  // namespace unmask::cli

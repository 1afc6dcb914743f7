#include "catalog/describe.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/host_options.hpp"

namespace unmask::catalog {
namespace {

using nlohmann::json;

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string default_text(const ParamSpec& spec) {
  if (spec.default_value) return to_text(*spec.default_value);
  return spec.is_optional ? "left out" : "required";
}

const char* plural(std::string_view kind) {
  if (kind == "solver") return "Solvers";
  if (kind == "model") return "Models";
  if (kind == "attack") return "Attacks";
  if (kind == "dataset") return "Data sets";
  if (kind == "objective") return "Objectives";
  return "Probes";
}

// "real, default 0.03, 0 < x, pixel range"
std::string facts(const ParamSpec& spec) {
  std::string text = std::string(to_string(spec.type));
  text += spec.default_value ? ", default " + default_text(spec)
                             : (spec.is_optional ? ", optional" : ", required");
  if (const std::string range = spec.range_text(); !range.empty()) text += ", " + range;
  if (!spec.unit_text.empty()) text += ", in " + spec.unit_text;
  return text;
}

std::string table_text(const std::vector<ParamSpec>& table) {
  if (table.empty()) return "  none\n";
  std::size_t width = 0;
  for (const ParamSpec& spec : table) width = std::max(width, spec.name.size());
  std::string text;
  for (const ParamSpec& spec : table) {
    text += "  " + padded(spec.name, width) + "  " + facts(spec) + "\n";
    text += "  " + std::string(width, ' ') + "  " + spec.doc + "\n";
  }
  return text;
}

// A '|' would end a cell of a Markdown table, a line break the row.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string code(const std::string& text) {
  return text.empty() ? "" : "`" + cell(text) + "`";
}

std::string markdown_table(const std::vector<ParamSpec>& table) {
  std::string text =
      "| parameter | type | default | range | unit | meaning |\n"
      "| --- | --- | --- | --- | --- | --- |\n";
  for (const ParamSpec& spec : table) {
    const std::string given = spec.default_value ? code(default_text(spec)) : default_text(spec);
    text += "| " + code(spec.name) + " | " + std::string(to_string(spec.type)) + " | " + given +
            " | " + cell(spec.range_text()) + " | " + cell(spec.unit_text) + " | " +
            cell(spec.doc) + " |\n";
  }
  return text;
}

std::string host_options_section(const std::string& title,
                                 const std::string& kind,
                                 const std::set<std::string>& capabilities) {
  const std::vector<ParamSpec> options = host_options(kind, capabilities);
  if (options.empty()) return "";
  return title + "\n\n" + markdown_table(options) + "\n";
}

}  // namespace

std::string list_text(const Catalog& catalog) {
  std::size_t id_width = 0, version_width = 0;
  for (const PluginRecord& plugin : catalog.plugins) {
    id_width = std::max(id_width, plugin.id.size());
    version_width = std::max(version_width, plugin.version.size());
  }
  std::string text;
  for (const char* kind : kKinds) {
    const std::vector<std::string> ids = catalog.ids(kind);
    if (ids.empty()) continue;
    text += std::string(text.empty() ? "" : "\n") + plural(kind) + "\n";
    for (const std::string& id : ids) {
      const PluginRecord& plugin = *catalog.find(kind, id);
      text += "  " + padded(plugin.id, id_width) + "  " + padded(plugin.version, version_width) +
              "  " + plugin.summary + "\n";
    }
  }
  if (catalog.plugins.empty()) text += "No plugins were found.\n";
  if (!catalog.refusals.empty()) {
    text += "\nRefused\n";
    for (const PluginRefusal& refusal : catalog.refusals) {
      text += "  '" + refusal.file.string() + "' " + refusal.reason + "\n";
    }
  }
  for (const PluginNote& note : catalog.notes) text += "\nnote: " + note.text + "\n";
  return text;
}

std::string show_text(const PluginRecord& plugin) {
  std::string text = plugin.kind + " " + plugin.id + " " + plugin.version + "\n";
  text += plugin.summary + "\n\n";
  const auto line = [&text](const char* name, const std::string& value) {
    if (!value.empty()) text += padded(name, 14) + value + "\n";
  };
  line("source", plugin.source);
  line("capabilities", joined(plugin.capabilities));
  line("file", plugin.file.string());
  line("fingerprint", plugin.fingerprint);
  line("file SHA-256", plugin.file_sha256);
  line("build tag", plugin.build_tag);
  text += "\nparameters\n" + table_text(plugin.params);
  const std::vector<ParamSpec> options = host_options(plugin.kind, plugin.capabilities);
  if (!options.empty()) {
    text += "\noptions of the host for this " + plugin.kind + "\n" + table_text(options);
  }
  return text;
}

std::string markdown_reference(const Catalog& catalog) {
  std::string text =
      "# Plugins\n\n"
      "This page is generated from what the plugins declare. A definition in a manifest names a "
      "plugin "
      "and its\nparameters; \"required\" ones must be given. The options of the host stand beside "
      "them in "
      "`params`.\n";
  for (const char* kind : kKinds) {
    const std::vector<std::string> ids = catalog.ids(kind);
    if (ids.empty()) continue;
    text += "\n## " + std::string(plural(kind)) + "\n\n";
    if (std::string_view(kind) == "solver") {
      text += host_options_section("Options of every adaptive solver:", kind, {"adaptive"});
      text += host_options_section("Options of every solver with fixed steps:", kind, {});
    } else {
      text += host_options_section("Options that the host gives each of them:", kind, {});
    }
    for (const std::string& id : ids) {
      const PluginRecord& plugin = *catalog.find(kind, id);
      text += "### " + plugin.id + "\n\n" + plugin.summary + "\n\n";
      text += "- version: " + plugin.version + "\n";
      if (!plugin.source.empty()) text += "- source: " + plugin.source + "\n";
      if (!plugin.capabilities.empty()) {
        text += "- capabilities: " + joined(plugin.capabilities) + "\n";
      }
      text += "\n";
      text += plugin.params.empty() ? "It has no parameters of its own.\n\n"
                                    : markdown_table(plugin.params) + "\n";
    }
    text.pop_back();
  }
  return text;
}

}  // namespace unmask::catalog

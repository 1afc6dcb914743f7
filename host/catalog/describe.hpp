#pragma once
// Catalog entries as text for a terminal and as Markdown for docs/plugins.md.

#include <string>

#include "catalog/catalog.hpp"

namespace unmask::catalog {

/// All plugins, a line each under a heading per kind, then the refused libraries.
std::string list_text(const Catalog& catalog);

/// One plugin with its parameters and the host's options for it.
std::string show_text(const PluginRecord& plugin);

/// The reference of all plugins: a section per kind and plugin with a table of parameters. Holds
/// nothing that differs between machines (no files, tags, fingerprints).
std::string markdown_reference(const Catalog& catalog);

}  // namespace unmask::catalog

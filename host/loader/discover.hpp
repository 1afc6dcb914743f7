#pragma once
// How the host learns what the installed plugins offer without ever loading one: a child process
// loads them one after the other and says what it finds. When a library takes the child down, hangs
// it or ends it, that library is refused and a new child looks at the remaining ones.

#include <filesystem>
#include <string>
#include <vector>

#include "catalog/catalog.hpp"

namespace unmask::loader {

/// The program to start, which must call list_main() of loader/listing.hpp. An argument that is
/// exactly "{fd}" becomes the number of the descriptor for its answers; the files to look at are
/// appended: {"unmask", "list-plugins", "--fd", "{fd}"}.
struct ListCommand {
  std::vector<std::string> argv;
  std::vector<std::string> env;  ///< "NAME=value"; added to the host's environment
  double timeout_s = 30;         ///< for one library, and for the start of the child
};

/// Look at the libraries of the folders through a child.
/// @throws PluginError when the child fails before it has touched a library
catalog::Catalog discover_in_child(const ListCommand& command,
                                   const std::vector<std::filesystem::path>& folders);

/// The same for given files.
catalog::Catalog inspect_in_child(const ListCommand& command,
                                  const std::vector<std::filesystem::path>& files);

/// Make a catalog of single findings: sorted, and without plugins that share kind and id. Those are
/// all refused, each naming another one, since which of them a name means would depend on chance;
/// byte-identical copies count as one.
catalog::Catalog assemble_catalog(std::vector<catalog::PluginRecord> records,
                                  std::vector<catalog::PluginRefusal> refusals);

}  // namespace unmask::loader

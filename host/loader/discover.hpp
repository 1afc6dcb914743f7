#pragma once
// How the host learns what the installed plugins offer without ever loading one: a child process
// loads them one after the other and says what it finds. When a library takes the child down, hangs
// it or ends it, that library is refused and a new child looks at the remaining ones.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/cache.hpp"
#include "catalog/catalog.hpp"

namespace unmask::loader {

/// The program to start, which must call list_main() of loader/listing.hpp. An argument that is
/// exactly "{fd}" becomes the number of the descriptor for its answers; what to look at stands on
/// its standard input: {"unmask", "list-plugins", "{fd}"}.
struct ListCommand {
  std::vector<std::string> argv;
  std::vector<std::string> env;  ///< "NAME=value"; added to the host's environment
  double timeout_s = 30;         ///< for one library, and for the start of the child
};

/// What a look at some libraries tells.
struct Inspection {
  std::vector<catalog::PluginRecord> records;
  std::vector<catalog::PluginRefusal> refusals;
  int cuda_devices = 0;                   ///< as LibTorch sees them in the child
  std::vector<std::string> engine_files;  ///< that the child itself consists of: program, LibTorch
};

/// Look at given files through a child.
/// @throws PluginError when the child fails before it has touched a library
Inspection inspect_in_child(const ListCommand& command,
                            const std::vector<std::filesystem::path>& files);

/// Make a catalog of single findings, in the order of the search path: sorted, each plugin once.
/// Where several libraries offer one kind and id, the first that is named after them
/// ("attack_pgd.so", as unmask_add_plugin() does) is taken, or else the first; a registry searches
/// in the same order. Of the others, those that were made of other sources are noted.
catalog::Catalog assemble_catalog(std::vector<catalog::PluginRecord> records,
                                  std::vector<catalog::PluginRefusal> refusals);

/// Inspect without a memory.
catalog::Catalog inspect_files(const ListCommand& command,
                               const std::vector<std::filesystem::path>& files);

/// A look at some files, as inspect_in_child() takes it.
using Inspect = std::function<Inspection(const std::vector<std::filesystem::path>&)>;

/// The catalog of some libraries, of which only those are inspected that are not known from an
/// earlier call: another size, time or inode makes a library unknown, and another LibTorch, engine
/// or program all of them. Refused libraries are never known: what they lack may come.
/// @param host  what else findings may depend on: the program's file, variables of the loader
catalog::Catalog remembered_catalog(const base::Cache& cache,
                                    const nlohmann::json& host,
                                    const std::vector<std::filesystem::path>& files,
                                    const Inspect& inspect);

}  // namespace unmask::loader

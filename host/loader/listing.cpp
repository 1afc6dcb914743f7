#include "loader/listing.hpp"

#include <unistd.h>

#include <fstream>
#include <set>
#include <string>
#include <utility>

#include <torch/cuda.h>

#include <nlohmann/json.hpp>

#include "base/items.hpp"
#include "loader/discover.hpp"
#include "loader/folders.hpp"
#include "loader/library.hpp"

namespace unmask::loader {
namespace {

using nlohmann::json;

// Files that are mapped into this process as code: the program and its libraries.
std::vector<std::string> mapped_files() {
  std::set<std::string> files;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto slash = line.find('/');
    const auto permissions = line.find(' ');
    if (slash == std::string::npos ||
        line.substr(permissions + 1, 4).find('x') == std::string::npos) {
      continue;
    }
    files.insert(line.substr(slash));
  }
  return {files.begin(), files.end()};
}

int count_cuda_devices() {
  // A driver that is broken or absent is no reason not to list plugins: there are no devices then.
  try {
    return static_cast<int>(torch::cuda::device_count());
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace

int list_main(int answer_fd) {
  const json request = base::read_request(STDIN_FILENO);
  const std::vector<std::string> engine_files = mapped_files();
  base::ItemWriter answers(answer_fd);
  for (const json& name : request.at("files")) {
    const std::filesystem::path file = name.get<std::string>();
    if (!answers.begin()) return 1;
    catalog::Catalog found;
    std::string reason;
    if (auto library = PluginLibrary::try_open(file, reason)) {
      found.plugins.push_back(library->record());
    } else {
      found.refusals.push_back({file, std::move(reason)});
    }
    if (!answers.found(found)) return 1;
  }
  if (!answers.end({{"cuda_devices", count_cuda_devices()}, {"engine_files", engine_files}})) {
    return 1;
  }
  ::_exit(0);
}

catalog::Catalog discover(const std::vector<std::filesystem::path>& folders) {
  std::vector<catalog::PluginRecord> records;
  std::vector<catalog::PluginRefusal> refusals;
  for (const std::filesystem::path& file : list_libraries(folders)) {
    std::string reason;
    if (auto library = PluginLibrary::try_open(file, reason)) {
      records.push_back(library->record());
    } else {
      refusals.push_back({file, std::move(reason)});
    }
  }
  catalog::Catalog catalog = assemble_catalog(std::move(records), std::move(refusals));
  catalog.cuda_devices = count_cuda_devices();
  return catalog;
}

}  // namespace unmask::loader

#include "loader/listing.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include <torch/cuda.h>

#include <nlohmann/json.hpp>

#include "loader/discover.hpp"
#include "loader/folders.hpp"
#include "loader/library.hpp"

namespace unmask::loader {
namespace {

using nlohmann::json;

bool write_line(int fd, const json& answer) {
  // Texts of plugins may hold anything; an answer is always valid UTF-8 on one line.
  std::string line = answer.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
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

int list_main(const std::vector<std::filesystem::path>& files, int answer_fd) {
  for (const std::filesystem::path& file : files) {
    if (!write_line(answer_fd, {{"begin", file.string()}})) return 1;
    catalog::Catalog found;
    std::string reason;
    if (auto library = PluginLibrary::try_open(file, reason)) {
      found.plugins.push_back(library->record());
    } else {
      found.refusals.push_back({file, std::move(reason)});
    }
    if (!write_line(answer_fd, {{"found", found}})) return 1;
  }
  if (!write_line(answer_fd, {{"end", {{"cuda_devices", count_cuda_devices()}}}})) return 1;
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

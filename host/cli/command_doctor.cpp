// unmask doctor: what this installation computes with, and what is wrong with it.

#include <cmath>
#include <iostream>

#include "base/cache.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "cli/machine.hpp"
#include "store/store.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

// A 512 x 512 product is 0.27 GFLOP: OpenBLAS needs 2 to 10 ms on one thread, the reference BLAS a
// hundred.
constexpr double kSlowProductMs = 50;

bool is_reference_blas(const std::string& file) {
  return file.find("/blas/libblas") != std::string::npos;
}

void row(const std::string& name, const std::string& value) {
  std::cout << "  " << name << std::string(name.size() < 18 ? 18 - name.size() : 1, ' ') << value
            << "\n";
}

}  // namespace

int command_doctor(const Arguments& arguments) {
  CommandLine line(
      "doctor [options]",
      "Shows what this installation computes with: LibTorch, BLAS, threads, CUDA devices, "
      "SQLite, plugin\nfolders. Warns about what makes it slow or unusable.");
  line.options().add_options()("verbose,v", "also print how LibTorch was built");
  line.add_plugin_dir();
  line.add_kernels();
  if (!line.parse(arguments)) return 0;

  const HostContext host(line.plugin_dirs(), line.kernels());
  std::vector<std::string> warnings;
  std::cout << "unmask " UNMASK_VERSION "\n";
  row("executable", host.executable().string());
  row("processors", std::to_string(usable_processors()));
  row("SQLite", store::sqlite_version());

  const nlohmann::json torch = host.ask_engine("doctor", nlohmann::json::object(), 120);
  row("LibTorch", torch.at("libtorch").get<std::string>());
  const auto blas = torch.at("blas").get<std::string>();
  const double product_ms = torch.at("matrix_product_ms").get<double>();
  row("BLAS", blas + " (512 x 512 product: " + std::to_string(std::lround(product_ms)) + " ms)");
  const auto kernels = torch.at("kernels").get<std::string>();
  row("kernels", std::string(to_string(host.kernels())) + ": " + kernels);
  if (host.kernels() == Kernels::kPortable) {
    if (const std::string problem = not_portable(kernels); !problem.empty()) {
      warnings.push_back(problem);
    }
  }
  if (is_reference_blas(blas) || product_ms > kSlowProductMs) {
    warnings.push_back("LibTorch gets a slow BLAS (" + blas +
                       "); install OpenBLAS: apt-get install libopenblas0-pthread");
  }
  std::string devices;
  for (const auto& device : torch.at("cuda_devices"))
    devices += (devices.empty() ? "" : ", ") + device.get<std::string>();
  row("CUDA devices", devices.empty() ? "none" : devices);

  const catalog::Catalog& catalog = host.catalog();
  for (const auto& folder : host.plugin_folders()) row("plugin folder", folder.string());
  const std::filesystem::path memory = base::cache_folder();
  row("answers kept in", memory.empty() ? "none: HOME is not set" : memory.string());
  row("plugins",
      std::to_string(catalog.plugins.size()) + " usable, " +
          std::to_string(catalog.refusals.size()) + " refused");
  if (catalog.plugins.empty()) warnings.emplace_back("no plugin was found in the plugin folders");
  for (const catalog::PluginRefusal& refusal : catalog.refusals) {
    warnings.push_back(refusal.file.string() + " " + refusal.reason);
  }
  if (line.has("verbose")) std::cout << "\n" << torch.at("build").get<std::string>() << "\n";
  for (const std::string& warning : warnings) std::cout << "\nwarning: " << warning << "\n";
  return warnings.empty() ? 0 : static_cast<int>(ExitCode::kPlugin);
}

}  // namespace unmask::cli

#include "engine/import.hpp"

#include "base/files.hpp"
#include "engine/safetensors.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::engine {

ImportReport import_weights(loader::Registry& registry, const ImportRequest& request) {
  const auto model = registry.create_model(request.model, request.params, request.context);
  LoadedWeights loaded = load_weights(*model, request.weights);
  ImportReport report;
  report.unused_rules = std::move(loaded.unused_rules);
  report.tensors = static_cast<std::int64_t>(loaded.tensors.size());
  for (const NamedTensor& item : loaded.tensors) report.values += item.tensor.numel();

  const std::string bytes = safetensors_bytes(loaded.tensors, {{"model", request.model}});
  report.sha256 = sha256_hex(bytes);
  if (!std::filesystem::exists(request.output)) {
    base::write_file_atomically(request.output, bytes);
  } else if (sha256_file(request.output) != report.sha256) {
    throw DataError(request.output.string() +
                    " exists and holds other weights; give another --name, or remove it");
  }
  return report;
}

}  // namespace unmask::engine

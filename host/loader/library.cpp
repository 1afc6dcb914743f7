#include "loader/library.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <system_error>
#include <vector>

#include <c10/core/TensorImpl.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#include <boost/dll/shared_library.hpp>

#include "catalog/host_options.hpp"
#include "loader/build_tag.hpp"
#include "unmask/errors.hpp"

namespace unmask::loader {
namespace {

constexpr const char* kSymbol = "unmask_plugin";
constexpr std::string_view kMagic = "UNMASKPL";
constexpr std::uint32_t kTorchVersion =
    TORCH_VERSION_MAJOR * 10000 + TORCH_VERSION_MINOR * 100 + TORCH_VERSION_PATCH;
constexpr const char* kRebuild =
    "; rebuild it with this host's compiler and LibTorch against this unmask";

// The tag without its first character: the host's own library then holds no tag and cannot be taken
// for a plugin.
constexpr auto kTagTail = [] {
  std::array<char, sizeof(UNMASK_BUILD_TAG) - 2> tail{};
  for (std::size_t i = 0; i < tail.size(); ++i) tail[i] = UNMASK_BUILD_TAG[i + 1];
  return tail;
}();

// Why a library is refused: a sentence without a subject.
struct Refused {
  std::string reason;
};

bool is_lower_snake(std::string_view text) {
  return !text.empty() && text.front() >= 'a' && text.front() <= 'z' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string shown(const char* text) {
  return text == nullptr ? "nothing" : "\"" + std::string(text) + "\"";
}

std::string version_text(std::uint32_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

// What an exception says, without LibTorch's list of stack frames.
std::string message_of(const std::exception& problem) {
  if (const auto* torch_error = dynamic_cast<const c10::Error*>(&problem)) {
    return torch_error->what_without_backtrace();
  }
  return problem.what();
}

// Load a file for the rest of the life of this process.
const boost::dll::shared_library& load_for_ever(const std::filesystem::path& file) {
  auto library = std::make_unique<boost::dll::shared_library>();
  boost::dll::fs::error_code error;
  ::dlerror();
  library->load(std::filesystem::absolute(file),
                error,
                boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  if (error || !library->is_loaded()) {
    // Boost keeps only a number; the loader itself knows the missing symbol or library.
    const char* detail = ::dlerror();
    throw Refused{"cannot be loaded: " +
                  (detail != nullptr ? std::string(detail) : error.message())};
  }
  // Never destroyed, so never unloaded; also a library that is refused below stays, since its
  // constructors have run.
  static std::mutex mutex;
  static auto* loaded = new std::vector<std::unique_ptr<boost::dll::shared_library>>();
  const std::lock_guard lock(mutex);
  loaded->push_back(std::move(library));
  return *loaded->back();
}

const PluginDescriptor* checked_descriptor(const boost::dll::shared_library& library) {
  if (!library.has(kSymbol)) {
    throw Refused{std::string("exports no symbol ") + kSymbol +
                  "; end the plugin's source with UNMASK_PLUGIN(Class)"};
  }
  const auto& header = library.get<const PluginHeader>(kSymbol);
  if (auto problem = header_violation(header)) throw Refused{std::move(*problem)};
  const PluginDescriptor* descriptor = header.descriptor();
  if (descriptor == nullptr)
    throw Refused{"has no descriptor; end its source with UNMASK_PLUGIN(Class)"};
  return descriptor;
}

void check_table(const catalog::PluginRecord& record) {
  if (auto problem = table_violation(record.params)) {
    throw Refused{"declares its parameters wrongly: " + *problem};
  }
  for (const ParamSpec& spec : record.params) {
    for (const auto& bound : {spec.lower, spec.upper}) {
      if (bound && !std::isfinite(bound->value)) {
        throw Refused{"declares its parameters wrongly: a bound of parameter \"" + spec.name +
                      "\" is not finite"};
      }
    }
  }
  for (const ParamSpec& option : catalog::host_options(record.kind, record.capabilities)) {
    for (const ParamSpec& spec : record.params) {
      if (spec.name == option.name) {
        throw Refused{"declares its parameters wrongly: \"" + spec.name +
                      "\" is an option that the host gives every " + record.kind +
                      " like this one; give the parameter another name"};
      }
    }
  }
}

catalog::PluginRecord checked_record(const PluginDescriptor& descriptor) {
  catalog::PluginRecord record;
  const bool is_known =
      descriptor.kind != nullptr &&
      std::any_of(std::begin(catalog::kKinds), std::end(catalog::kKinds), [&](const char* kind) {
        return std::string_view(kind) == descriptor.kind;
      });
  if (!is_known) {
    std::string kinds;
    for (const char* kind : catalog::kKinds)
      kinds += (kinds.empty() ? "" : ", ") + std::string(kind);
    throw Refused{"is of the unknown kind " + shown(descriptor.kind) + "; the kinds are " + kinds};
  }
  record.kind = descriptor.kind;
  if (descriptor.id == nullptr || !is_lower_snake(descriptor.id)) {
    throw Refused{"has the id " + shown(descriptor.id) +
                  "; an id is lower_snake_case: a letter, then letters, digits and underscores"};
  }
  record.id = descriptor.id;
  if (descriptor.fingerprint == nullptr || !is_sha256(descriptor.fingerprint)) {
    throw Refused{"has the fingerprint " + shown(descriptor.fingerprint) +
                  " instead of 64 hexadecimal digits; build it with unmask_add_plugin()"};
  }
  record.fingerprint = descriptor.fingerprint;
  if (descriptor.info == nullptr || descriptor.create == nullptr) {
    throw Refused{"has a descriptor without functions; end its source with UNMASK_PLUGIN(Class)"};
  }
  PluginInfo info;
  try {
    info = descriptor.info();
  } catch (const std::exception& problem) {
    throw Refused{"cannot describe itself: its info() failed: " + message_of(problem)};
  } catch (...) {
    throw Refused{"cannot describe itself: its info() threw something that is no std::exception"};
  }
  if (info.version.empty() || info.summary.empty()) {
    throw Refused{std::string("does not describe itself: its info() leaves the ") +
                  (info.version.empty() ? "version" : "summary") + " empty"};
  }
  for (const std::string& capability : info.capabilities) {
    if (!is_lower_snake(capability)) {
      throw Refused{"names a capability \"" + capability + "\"; capabilities are lower_snake_case"};
    }
  }
  record.version = std::move(info.version);
  record.summary = std::move(info.summary);
  record.source = std::move(info.source);
  record.params = std::move(info.params);
  record.capabilities = std::move(info.capabilities);
  check_table(record);
  return record;
}

}  // namespace

std::string host_build_tag() {
  std::string tag(1, '@');
  return tag.append(kTagTail.data(), kTagTail.size());
}

std::optional<std::string> header_violation(const PluginHeader& header) {
  if (std::string_view(header.magic, sizeof header.magic) != kMagic) {
    return std::string("exports a symbol ") + kSymbol +
           " that is not a plugin header; end its source with UNMASK_PLUGIN(Class)";
  }
  std::string differences;
  const auto compare = [&](const char* name, const std::string& theirs, const std::string& ours) {
    if (theirs == ours) return;
    differences += (differences.empty() ? "" : ", ") + std::string(name) + " " + theirs +
                   " (this host: " + ours + ")";
  };
  compare("header size", std::to_string(header.header_size), std::to_string(sizeof(PluginHeader)));
  compare("SDK epoch", std::to_string(header.sdk_epoch), std::to_string(kSdkEpoch));
  if (header.sdk_minor > kSdkMinor) {
    compare("SDK minor version",
            std::to_string(header.sdk_minor),
            "at most " + std::to_string(kSdkMinor));
  }
  compare("LibTorch", version_text(header.torch_version), version_text(kTorchVersion));
  compare("size of TensorImpl",
          std::to_string(header.tensor_impl_size),
          std::to_string(sizeof(c10::TensorImpl)));
  compare("descriptor size",
          std::to_string(header.descriptor_size),
          std::to_string(sizeof(PluginDescriptor)));
  if (!differences.empty()) return "was built for another host: " + differences + kRebuild;
  if (header.build_tag == nullptr || header.descriptor == nullptr) {
    return "has a plugin header with empty fields; end its source with UNMASK_PLUGIN(Class)";
  }
  if (auto mismatch = tag_mismatch(header.build_tag, host_build_tag())) return mismatch;
  return std::nullopt;
}

std::optional<PluginLibrary> PluginLibrary::try_open(const std::filesystem::path& file,
                                                     std::string& reason) {
  try {
    FileInspection inspection = inspect_file(file, host_build_tag());
    if (!inspection.problem.empty()) throw Refused{std::move(inspection.problem)};
    const PluginDescriptor* descriptor = checked_descriptor(load_for_ever(file));
    catalog::PluginRecord record = checked_record(*descriptor);
    record.file = file;
    record.file_sha256 = std::move(inspection.sha256);
    record.build_tag = std::move(inspection.build_tag);
    return PluginLibrary(std::move(record), descriptor);
  } catch (Refused& refused) {
    reason = std::move(refused.reason);
    return std::nullopt;
  }
}

PluginLibrary PluginLibrary::open(const std::filesystem::path& file) {
  std::string reason;
  std::optional<PluginLibrary> library = try_open(file, reason);
  if (!library) throw PluginError("plugin library '" + file.string() + "' " + reason);
  return *std::move(library);
}

void* PluginLibrary::create(const Params& params, const void* context) const {
  const std::string name = record_.kind + " " + record_.id;
  void* instance = nullptr;
  try {
    instance = descriptor_->create(params, context);
  } catch (Error& problem) {
    problem.add_context(name);
    throw;
  } catch (const std::exception& problem) {
    throw PluginError(name + ": its constructor failed: " + message_of(problem));
  } catch (...) {
    throw PluginError(name + ": its constructor threw something that is no std::exception");
  }
  if (instance == nullptr) throw PluginError(name + ": it made no instance");
  return instance;
}

}  // namespace unmask::loader

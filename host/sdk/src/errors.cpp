#include "unmask/errors.hpp"

namespace unmask {
inline namespace v1 {

Error::Error(ExitCode code, const std::string& message)
    : std::runtime_error(message), code_(code), message_(message) {}

void Error::add_context(std::string_view context) {
  message_.insert(0, std::string(context) + ": ");
}

// Key functions live here, so that every error has one type identity in the whole process.
Error::~Error() = default;
UsageError::~UsageError() = default;
ManifestError::~ManifestError() = default;
ParamError::~ParamError() = default;
DataError::~DataError() = default;
PluginError::~PluginError() = default;
StoreError::~StoreError() = default;
NumericError::~NumericError() = default;
InternalError::~InternalError() = default;

namespace detail {
void fail_check(const char* condition, const char* file, int line, const std::string& message) {
  throw InternalError("broken invariant (" + std::string(condition) + ") at " + file + ":" +
                      std::to_string(line) + ": " + message);
}
}  // namespace detail
}  // namespace v1
}  // namespace unmask

#pragma once
// The child process in which `unmask plugins check` and `unmask plugins test` try a library.

#include <cstdio>

#include <nlohmann/json.hpp>

namespace unmask::conformance {

/// Load a library and try claims on its plugin. Answers line by line, so that the host knows what
/// was being tried should the plugin take this process down:
///
///   {"file": "x.so", "params": {...}, "only_declaration": false} ->
///   {"trying": "stays inside the ball and the box"}
///   {"words": "stays ...", "problems": ["..."], "not_applicable": ""}
///   ...
///   {"done": true}
///
/// When the plugin cannot be made, nothing else is tried.
/// @throws PluginError when the library is refused, ParamError for wrong parameters
void answer_claims(const nlohmann::json& request, std::FILE* out);

}  // namespace unmask::conformance

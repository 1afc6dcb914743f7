#pragma once
// Values of a parsed file as messages speak of them, and what a reader expects of them.

#include <string>

#include "text/diagnostics.hpp"
#include "text/source.hpp"

namespace unmask::words {

/// "a string", "an integer", ... for messages.
std::string kind_text(const Node& node);

/// A value on one line, as JSON.
std::string one_line(const Node& node);

/// True when `node` has this kind; else reports `what must be ..., found ...`.
bool expect(const Node& node, Node::Kind kind, const std::string& what, Reporter& reporter);

}  // namespace unmask::words

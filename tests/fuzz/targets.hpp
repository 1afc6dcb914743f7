#pragma once
// What is fuzzed: each parser of bytes that come from elsewhere, as a function that takes any bytes.
// An error that the parser promises is fine. A crash, a hang, another exception, or an answer that
// cannot be is a finding.

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace unmask::fuzz {

using Target = std::function<void(std::string_view bytes)>;

/// The targets of this executable, by name. Each executable defines its own.
const std::map<std::string, Target>& targets();

/// The target of that name; ends the program with a message when there is none.
const Target& target(const std::string& name);

/// A folder of this process, in memory where the system has a place for that; gone at its end.
const std::string& scratch_folder();

/// Make a file of that folder hold these bytes. @return its path
std::string scratch_file(const std::string& name, std::string_view bytes);

}  // namespace unmask::fuzz

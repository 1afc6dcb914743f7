// What unmask_add_plugin() runs when a plugin is built:
//
//   unmask-fingerprint --output HEADER --depfile FILE [--folder DIR]... SOURCE...
//
// writes a header that defines UNMASK_PLUGIN_FINGERPRINT, and for the build tool the list of files that it read.

#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "fingerprint/fingerprint.hpp"

namespace {

namespace fs = std::filesystem;

// A path as Make reads it.
std::string escaped(const fs::path& path) {
  std::string result;
  for (const char c : path.string()) {
    if (c == ' ' || c == '#' || c == '\\') result += '\\';
    if (c == '$') result += '$';
    result += c;
  }
  return result;
}

void write(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) throw std::runtime_error("cannot write \"" + file.string() + "\"");
}

// A header that says the same keeps its time, so that a fingerprint program linked anew rebuilds no plugin.
void write_if_different(const fs::path& file, const std::string& text) {
  std::ifstream in(file, std::ios::binary);
  if (in && std::string(std::istreambuf_iterator<char>(in), {}) == text) return;
  write(file, text);
}

void run(const std::vector<std::string>& arguments) {
  fs::path output;
  fs::path depfile;
  std::vector<fs::path> folders;
  std::vector<fs::path> sources;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const bool is_option = word == "--output" || word == "--depfile" || word == "--folder";
    if (!is_option) {
      sources.emplace_back(word);
      continue;
    }
    if (++i == arguments.size()) throw std::runtime_error(word + " needs a value");
    if (word == "--output") output = arguments[i];
    if (word == "--depfile") depfile = arguments[i];
    if (word == "--folder") folders.emplace_back(arguments[i]);
  }
  if (output.empty() || depfile.empty() || sources.empty()) {
    throw std::runtime_error(
        "usage: unmask-fingerprint --output HEADER --depfile FILE [--folder DIR]... SOURCE...");
  }
  const auto fingerprint = unmask::fingerprint::fingerprint_of(sources, folders);
  write_if_different(
      output, "#pragma once\n#define UNMASK_PLUGIN_FINGERPRINT \"" + fingerprint.sha256 + "\"\n");
  std::string rule = escaped(output) + ":";
  for (const fs::path& file : fingerprint.files) rule += " \\\n  " + escaped(file);
  write(depfile, rule + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run({argv + 1, argv + argc});
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "unmask-fingerprint: " << error.what() << "\n";
    return 1;
  }
}

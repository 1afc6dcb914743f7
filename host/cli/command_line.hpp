#pragma once
// One command's options: declared with Boost.Program_options, parsed with messages that help.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "cli/commands.hpp"

namespace unmask::cli {

/// What --db is when it is not given.
inline constexpr const char* kDefaultDatabase = "results/unmask.sqlite";

/// The declared options of a command and, after parse(), their values.
class CommandLine {
 public:
  /// @param usage    "run MANIFEST [options]"
  /// @param summary  what the command does, a few sentences
  CommandLine(std::string usage, std::string summary);

  boost::program_options::options_description& options() { return options_; }

  /// Name of a positional argument; `many`: it takes all that are left.
  void positional(const char* name, const char* doc, bool many = false);

  /// Options that several commands share.
  void add_plugin_dir();
  void add_database();

  /// False when --help was given: the help is printed and the command is done.
  /// @throws UsageError for unknown options (with a suggestion), missing or wrong values
  bool parse(const Arguments& arguments);

  bool has(const std::string& name) const { return values_.count(name) > 0; }

  /// Whether it was typed: a default does not count.
  bool is_given(const std::string& name) const { return has(name) && !values_[name].defaulted(); }

  template <class T>
  T get(const std::string& name) const {
    return values_[name].as<T>();
  }

  template <class T>
  std::optional<T> find(const std::string& name) const {
    return has(name) ? std::optional<T>(values_[name].as<T>()) : std::nullopt;
  }

  /// The positional argument. @throws UsageError when it is missing
  std::string required(const std::string& name) const;

  std::vector<std::filesystem::path> plugin_dirs() const;
  std::filesystem::path database() const;

 private:
  void print_help() const;

  std::string usage_;
  std::string summary_;
  boost::program_options::options_description options_{"options"};
  boost::program_options::options_description arguments_;
  boost::program_options::positional_options_description positional_;
  boost::program_options::variables_map values_;
};

}  // namespace unmask::cli

#pragma once
// One command's options: declared with Boost.Program_options, parsed with messages that help.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/program_options.hpp>

#include "cli/commands.hpp"
#include "cli/kernel_choice.hpp"

namespace unmask::cli {

/// What --db is when it is not given.
inline constexpr const char* kDefaultDatabase = "results/unmask.sqlite";

/// An option or an argument, for those who explain or complete it.
struct ParameterDescription {
  std::string name;   ///< long, without dashes
  std::string value;  ///< "arg", "arg (=table)"; empty: the option takes none
  std::string doc;
  bool is_many = false;              ///< of an argument: it takes all that are left
  std::vector<std::string> choices;  ///< values worth completing; empty: any, such as a file
};

struct CommandDescription {
  std::string usage, summary;
  std::vector<ParameterDescription> options, arguments;
};

/// The values that the text of an option lists: of "table (for people), csv or json; default: csv"
/// table, csv and json. Empty when it is another text; what is no plain word (cuda:N) is left out.
std::vector<std::string> choices_in(const std::string& doc);

/// While it lives, CommandLine::parse() writes down what was declared and says that the command is
/// done. One at a time.
class Describing {
 public:
  explicit Describing(CommandDescription& description);
  ~Describing();
  Describing(const Describing&) = delete;
  Describing& operator=(const Describing&) = delete;
};

/// The declared options of a command and, after parse(), their values.
class CommandLine {
 public:
  /// @param usage    "run MANIFEST [options]"
  /// @param summary  what the command does, a few sentences
  CommandLine(std::string usage, std::string summary);

  boost::program_options::options_description& options() { return options_; }

  /// Name of a positional argument; `many`: it takes all that are left.
  void positional(const char* name, const char* doc, bool many = false);

  /// Values of an argument that are worth completing; those of options are read from their texts.
  void choices(const std::string& name, std::vector<std::string> values) {
    choices_[name] = std::move(values);
  }

  /// Options that several commands share.
  void add_plugin_dir();
  void add_database();
  void add_kernels();

  /// False when --help was given: the help is printed and the command is done.
  /// @throws UsageError for unknown options (with a suggestion), missing, empty or wrong values
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
  /// nullopt: it was not given. @throws UsageError for a wrong value
  std::optional<Kernels> kernels() const;

 private:
  void print_help() const;
  CommandDescription description() const;
  void refuse_empty_words() const;

  std::string usage_;
  std::string summary_;
  boost::program_options::options_description options_{"options"};
  boost::program_options::options_description arguments_;
  boost::program_options::positional_options_description positional_;
  boost::program_options::variables_map values_;
  std::vector<std::string> many_;  // arguments that take all that are left
  std::map<std::string, std::vector<std::string>> choices_;
};

}  // namespace unmask::cli

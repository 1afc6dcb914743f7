#include "cli/command_line.hpp"

#include <iostream>

#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace po = boost::program_options;

CommandLine::CommandLine(std::string usage, std::string summary)
    : usage_(std::move(usage)), summary_(std::move(summary)) {
  options_.add_options()("help,h", "show this help");
}

void CommandLine::positional(const char* name, const char* doc, bool many) {
  if (many) {
    arguments_.add_options()(name, po::value<std::vector<std::string>>()->composing(), doc);
  } else {
    arguments_.add_options()(name, po::value<std::string>(), doc);
  }
  positional_.add(name, many ? -1 : 1);
}

void CommandLine::add_plugin_dir() {
  options_.add_options()("plugin-dir",
                         po::value<std::vector<std::string>>()->composing(),
                         "a further folder of plugins, searched first; may be repeated");
}

void CommandLine::add_database() {
  options_.add_options()(
      "db", po::value<std::string>()->default_value(kDefaultDatabase), "the results database");
}

void CommandLine::print_help() const {
  std::cout << "usage: unmask " << usage_ << "\n\n" << summary_ << "\n\n" << options_;
}

bool CommandLine::parse(const Arguments& arguments) {
  po::options_description all;
  all.add(options_).add(arguments_);
  try {
    po::store(
        po::command_line_parser(arguments)
            .options(all)
            .positional(positional_)
            .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
            .run(),
        values_);
    // Before required options are missed: whoever asks for help need not know them.
    if (has("help")) {
      print_help();
      return false;
    }
    po::notify(values_);
  } catch (const po::unknown_option& error) {
    std::vector<std::string> names;
    for (const auto& option : options_.options()) names.push_back("--" + option->long_name());
    throw UsageError("unknown option \"" + error.get_option_name() + "\"\n" +
                     words::help_for_unknown(error.get_option_name(), names, "options"));
  } catch (const po::too_many_positional_options_error&) {
    throw UsageError("too many arguments; usage: unmask " + usage_);
  } catch (const po::error& error) {
    throw UsageError(std::string(error.what()) + "; usage: unmask " + usage_);
  }
  return true;
}

std::string CommandLine::required(const std::string& name) const {
  if (!has(name)) throw UsageError("an argument is missing; usage: unmask " + usage_);
  return get<std::string>(name);
}

std::vector<std::filesystem::path> CommandLine::plugin_dirs() const {
  std::vector<std::filesystem::path> folders;
  if (has("plugin-dir")) {
    for (const std::string& name : get<std::vector<std::string>>("plugin-dir"))
      folders.emplace_back(name);
  }
  return folders;
}

std::filesystem::path CommandLine::database() const {
  const std::string name = get<std::string>("db");
  if (name.empty()) throw UsageError("--db \"\" names no file; leave it out, or name one");
  return name;
}

}  // namespace unmask::cli

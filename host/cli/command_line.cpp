#include "cli/command_line.hpp"

#include <algorithm>
#include <iostream>
#include <sstream>

#include "base/terminal.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace po = boost::program_options;

namespace {

CommandDescription* g_describing = nullptr;

}  // namespace

std::vector<std::string> choices_in(const std::string& doc) {
  // Without what stands in brackets and behind the list.
  std::string text;
  int depth = 0;
  for (const char c : doc) {
    if (c == ';' && depth == 0) break;
    if (c == '(') ++depth;
    if (depth == 0) text += c;
    if (c == ')') --depth;
  }
  std::istringstream words(text);
  std::vector<std::string> items, choices;
  for (std::string word, before; words >> word; before = word) {
    const bool is_first = before.empty();
    if (word == "or" || word == ",") continue;
    // Two words in a row are a sentence, not a list.
    if (!is_first && before != "or" && before != "," && before.back() != ',') return {};
    items.push_back(word.back() == ',' ? word.substr(0, word.size() - 1) : word);
  }
  if (items.size() < 2) return {};
  for (const std::string& item : items) {
    const bool is_word = !item.empty() && std::all_of(item.begin(), item.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
    if (is_word) choices.push_back(item);
  }
  return choices;
}

Describing::Describing(CommandDescription& description) {
  g_describing = &description;
}
Describing::~Describing() {
  g_describing = nullptr;
}

CommandLine::CommandLine(std::string usage, std::string summary)
    : usage_(std::move(usage)), summary_(std::move(summary)) {
  options_.add_options()("help,h", "show this help")(
      "color",
      po::value<std::string>()->default_value("auto"),
      "auto (colours on a terminal, without NO_COLOR), always or never");
}

void CommandLine::positional(const char* name, const char* doc, bool many) {
  if (many) {
    arguments_.add_options()(name, po::value<std::vector<std::string>>()->composing(), doc);
  } else {
    arguments_.add_options()(name, po::value<std::string>(), doc);
  }
  positional_.add(name, many ? -1 : 1);
  if (many) many_.emplace_back(name);
}

void CommandLine::add_plugin_dir() {
  options_.add_options()("plugin-dir",
                         po::value<std::vector<std::string>>()->composing(),
                         "a further folder of plugins, searched first; may be repeated");
}

void CommandLine::add_kernels() {
  options_.add_options()("kernels",
                         po::value<std::string>(),
                         "portable (AVX2, for equal bits on all x86-64 processors that have it) or "
                         "native; default: portable where the processor can");
}

void CommandLine::add_database() {
  options_.add_options()(
      "db", po::value<std::string>()->default_value(kDefaultDatabase), "the results database");
}

void CommandLine::print_help() const {
  std::cout << "usage: unmask " << usage_ << "\n\n" << summary_ << "\n\n" << options_;
}

CommandDescription CommandLine::description() const {
  CommandDescription result{usage_, summary_, {}, {}};
  const auto add = [&](const po::options_description& from, auto& to) {
    for (const auto& option : from.options()) {
      ParameterDescription& one = to.emplace_back();
      one.name = option->long_name();
      one.doc = option->description();
      if (option->semantic()->max_tokens() > 0) {
        one.value = option->semantic()->name();
        one.choices = choices_in(one.doc);
      }
      one.is_many = std::find(many_.begin(), many_.end(), one.name) != many_.end();
      if (const auto known = choices_.find(one.name); known != choices_.end()) {
        one.choices = known->second;
      }
    }
  };
  add(options_, result.options);
  add(arguments_, result.arguments);
  return result;
}

// No option and no argument means anything by an empty word; shells make them of variables that are
// not set.
void CommandLine::refuse_empty_words() const {
  for (const auto& [name, value] : values_) {
    const auto* option = options_.find_nothrow(name, /*approx=*/false);
    const bool is_flag = option != nullptr && option->semantic()->max_tokens() == 0;
    if (value.defaulted() || is_flag) continue;
    std::vector<std::string> words;
    if (const auto* one = boost::any_cast<std::string>(&value.value())) words = {*one};
    if (const auto* many = boost::any_cast<std::vector<std::string>>(&value.value())) words = *many;
    if (std::find(words.begin(), words.end(), "") == words.end()) continue;
    const bool is_argument = arguments_.find_nothrow(name, /*approx=*/false) != nullptr;
    throw UsageError(
        (is_argument ? "an argument is empty (\"\")" : "--" + name + " \"\" is empty") +
        "; leave it out, or give a value; usage: unmask " + usage_);
  }
}

bool CommandLine::parse(const Arguments& arguments) {
  if (g_describing != nullptr) {
    *g_describing = description();
    return false;
  }
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
    refuse_empty_words();
    base::set_color_choice(base::parse_color_choice(get<std::string>("color")));
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

std::optional<Kernels> CommandLine::kernels() const {
  const auto text = find<std::string>("kernels");
  return text ? std::optional(parse_kernels(*text)) : std::nullopt;
}

std::filesystem::path CommandLine::database() const {
  return get<std::string>("db");
}

}  // namespace unmask::cli

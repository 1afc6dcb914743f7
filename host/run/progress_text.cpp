#include "run/progress_text.hpp"

#include <algorithm>

#include "base/counted.hpp"
#include "base/terminal.hpp"
#include "run/progress.hpp"
#include "text/utf8.hpp"
#include "wire/spec.hpp"

namespace unmask::run {
namespace {

constexpr std::size_t kShownTailLines = 5;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::string fit(std::string_view line, int columns) {
  const auto limit = static_cast<std::size_t>(std::max(columns, 1));
  std::size_t characters = 0, kept = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (words::is_continuation(line[i])) continue;
    if (characters == limit - 1) kept = i;
    if (++characters > limit) return std::string(line.substr(0, kept)) + "~";
  }
  return std::string(line);
}

std::string failed_text(bool has_colors) {
  return base::painted("FAILED", base::Color::kRed, has_colors);
}

std::string one_line(std::string_view text) {
  std::string result;
  for (std::string_view line : lines_of(text)) {
    const std::size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) continue;
    if (!result.empty()) result += ' ';
    result += line.substr(start);
  }
  return result;
}

std::string worker_name(int slot) {
  return "worker " + std::to_string(slot + 1);
}

std::string attempt_text(int attempt) {
  return attempt > 1 ? " (attempt " + std::to_string(attempt) + ")" : "";
}

std::vector<std::string> failure_lines(const wire::Cell& cell,
                                       const wire::CellFailure& failure,
                                       bool will_retry) {
  const std::vector<std::string_view> message = lines_of(failure.message);
  std::vector<std::string> lines;
  lines.push_back(wire::title(cell) + ": " + wire::to_string(failure.failure_class) + ": " +
                  std::string(message.empty() ? "" : message.front()) +
                  (will_retry ? " (will be tried again)" : ""));
  for (std::size_t i = 1; i < message.size(); ++i)
    lines.push_back("    " + std::string(message[i]));
  if (!failure.plugins.empty()) lines.push_back("    plugins: " + failure.plugins);
  const std::vector<std::string_view> tail = lines_of(failure.log_tail);
  const std::size_t first = tail.size() - std::min(tail.size(), kShownTailLines);
  for (std::size_t i = first; i < tail.size(); ++i)
    lines.push_back("    | " + std::string(tail[i]));
  if (!failure.log_file.empty()) lines.push_back("    log: " + failure.log_file);
  if (!failure.command.empty()) lines.push_back("    alone: " + failure.command);
  return lines;
}

std::string plugins_text(const wire::Cell& cell) {
  std::vector<std::string> words;
  wire::for_each_part(cell.spec,
                      [&](const std::string&, const std::string& kind, const nlohmann::json& part) {
                        const auto plugin = part.find("plugin");
                        if (plugin == part.end() || !plugin->is_string()) return;
                        std::string word = kind + " " + plugin->get<std::string>();
                        if (std::find(words.begin(), words.end(), word) == words.end()) {
                          words.push_back(std::move(word));
                        }
                      });
  std::stable_partition(words.begin(), words.end(), [](const std::string& word) {
    return word.starts_with("attack ") || word.starts_with("probe ");
  });
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string discarded_text(const std::string& training, std::size_t here, std::size_t elsewhere) {
  std::string text =
      training + " gave other weights than before; results of the former ones were discarded: ";
  if (here > 0) {
    text += std::to_string(here) + " of this run, which " + (here == 1 ? "runs" : "run") + " again";
  }
  if (here > 0 && elsewhere > 0) text += ", and ";
  if (elsewhere > 0) {
    text += std::to_string(elsewhere) +
            " that this run does not ask for; run the manifests that do to have " +
            (elsewhere == 1 ? "it" : "them") + " again";
  }
  return text;
}

std::string draining_text(std::size_t running) {
  return "stopping: " + base::counted(running, "running cell") +
         (running == 1 ? " finishes" : " finish") + ", no other begins; Ctrl-C again stops at once";
}

std::string summary_text(const RunSummary& s) {
  std::string text = std::to_string(s.ran) + " done";
  const auto add = [&](std::size_t count, const char* what) {
    if (count > 0) text += ", " + std::to_string(count) + " " + what;
  };
  add(s.hit, "already stored");
  add(s.failed, "failed");
  add(s.skipped, "skipped");
  add(s.interrupted, "interrupted");
  add(s.not_run, "not run");
  return text + ", in " + duration_text(s.wall_s);
}

}  // namespace unmask::run

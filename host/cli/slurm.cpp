#include "cli/slurm.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/child.hpp"
#include "text/shell_words.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

// A controller that is busy or restarts answers late; its commands try again by themselves.
constexpr double kSlurmPatienceS = 120;

base::ChildOutput ask(const std::vector<std::string>& command) {
  try {
    return base::run_child(command, kSlurmPatienceS);
  } catch (const InternalError&) {
    throw UsageError("there is no " + command.front() +
                     " here: submit on a machine with Slurm's commands, or use --engine local");
  }
}

// The number of a line "MaxArraySize            = 1001".
std::optional<std::size_t> setting(std::string_view config, std::string_view name) {
  for (std::size_t at = 0; at < config.size();) {
    const std::size_t end = std::min(config.find('\n', at), config.size());
    const std::string_view line = config.substr(at, end - at);
    at = end + 1;
    const std::size_t equals = line.find('=');
    if (!line.starts_with(name) || equals == line.npos) continue;
    if (line.substr(name.size(), equals - name.size()).find_first_not_of(' ') != line.npos)
      continue;
    const std::size_t digits = line.find_first_not_of(' ', equals + 1);
    if (digits == line.npos) continue;
    std::size_t value = 0;
    const auto parsed = std::from_chars(line.data() + digits, line.data() + line.size(), value);
    if (parsed.ec == std::errc()) return value;
  }
  return std::nullopt;
}

}  // namespace

std::size_t SlurmLimits::most_tasks() const {
  std::size_t most = std::numeric_limits<std::size_t>::max();
  if (max_array) most = std::min(most, *max_array > 1 ? *max_array - 1 : 1);
  // The merge is a job, too.
  if (max_jobs) most = std::min(most, *max_jobs > 1 ? *max_jobs - 1 : 1);
  return most;
}

SlurmLimits parse_limits(std::string_view config) {
  return {setting(config, "MaxArraySize"), setting(config, "MaxJobCount")};
}

SlurmLimits ask_limits() {
  const base::ChildOutput answer = ask({"scontrol", "show", "config"});
  if (!answer.status.is_success()) {
    throw UsageError("Slurm does not answer: " + answer.err +
                     "submit on a machine where squeue works, or use --engine local");
  }
  return parse_limits(answer.out);
}

std::string array_of(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(numbers[i]);
    if (last > i) text += "-" + std::to_string(numbers[last]);
    i = last + 1;
  }
  return text;
}

std::string submit_job(const std::vector<std::string>& command) {
  const base::ChildOutput answer = ask(command);
  if (!answer.status.is_success()) {
    throw Error(ExitCode::kCellsFailed,
                "Slurm refused the job: " + answer.err + "the command was: " +
                    words::shell_command(command) + "\nwhat the site wants stands in --profile");
  }
  // "123" or "123;cluster"
  return answer.out.substr(0, answer.out.find_first_of(";\n"));
}

}  // namespace unmask::cli

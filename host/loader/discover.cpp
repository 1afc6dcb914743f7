#include "loader/discover.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <iterator>
#include <optional>

#include "base/child.hpp"
#include "base/unique_fd.hpp"
#include "loader/folders.hpp"
#include "unmask/errors.hpp"

namespace unmask::loader {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int kAnswerFd = 3;
constexpr std::size_t kLogTail = 2000;

struct Pipe {
  base::UniqueFd reader, writer;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw InternalError(std::string("cannot make a pipe: ") + std::strerror(errno));
    }
    reader.reset(ends[0]);
    writer.reset(ends[1]);
    ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  }
};

// A child that is listing; killed with its process group and reaped when the object goes.
class Lister {
 public:
  Lister(const ListCommand& command, const std::vector<fs::path>& files) {
    base::ChildSpec spec;
    for (const std::string& argument : command.argv) {
      spec.argv.push_back(argument == "{fd}" ? std::to_string(kAnswerFd) : argument);
    }
    for (const fs::path& file : files) spec.argv.push_back(file.string());
    spec.env = command.env;
    Pipe answers, log;
    // What plugins print must not reach the user's terminal or a table; it is only shown when the
    // child fails.
    spec.fds = {{answers.writer.get(), kAnswerFd}, {log.writer.get(), 1}, {log.writer.get(), 2}};
    spec.own_group = true;
    pid_ = base::spawn(spec);
    answers_ = std::move(answers.reader);
    log_ = std::move(log.reader);
  }
  ~Lister() { end(); }
  Lister(const Lister&) = delete;
  Lister& operator=(const Lister&) = delete;

  // The next whole line of the answers; nullopt at their end or when the time is up.
  std::optional<std::string> next_line(double timeout_s) {
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                             std::chrono::duration<double>(timeout_s));
    for (;;) {
      if (const std::size_t end = received_.find('\n'); end != std::string::npos) {
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        return line;
      }
      if (!answers_) return std::nullopt;
      const double left_ms =
          std::chrono::duration<double, std::milli>(deadline - Clock::now()).count();
      if (left_ms <= 0) {
        is_late_ = true;
        return std::nullopt;
      }
      std::array<pollfd, 2> waits = {{{answers_.get(), POLLIN, 0}, {log_.get(), POLLIN, 0}}};
      const int ready = ::poll(
          waits.data(), waits.size(), static_cast<int>(std::min(std::ceil(left_ms), 60000.0)));
      if (ready < 0 && errno != EINTR) {
        throw InternalError(std::string("cannot wait for the child that lists plugins: ") +
                            std::strerror(errno));
      }
      if (ready > 0) {
        if (waits[1].revents != 0) read_some(log_, said_);
        if (said_.size() > 4 * kLogTail) said_.erase(0, said_.size() - kLogTail);
        if (waits[0].revents != 0) read_some(answers_, received_);
      }
    }
  }

  bool is_late() const noexcept { return is_late_; }

  // Kill what still runs, and say how the child ended.
  base::ExitStatus end() {
    if (pid_ > 0) {
      // A child that closed its answers is about to end by itself, and how it does is of interest.
      // One that does not is killed too.
      int status = 0;
      pid_t reaped = 0;
      const auto deadline = Clock::now() + std::chrono::seconds(5);
      while (!is_late_ && !answers_ && reaped == 0) {
        reaped = ::waitpid(pid_, &status, WNOHANG);
        if (reaped == 0 && Clock::now() > deadline) is_late_ = true;
        if (reaped == 0) ::poll(nullptr, 0, 2);
      }
      ::kill(-pid_, SIGKILL);
      while (reaped == 0 && ::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
      pid_ = -1;
      status_ = base::exit_status(status);
      read_some(log_, said_);
    }
    return status_;
  }

  // The last lines that it and the plugins printed.
  std::string said() const {
    std::string text = said_.size() > kLogTail ? said_.substr(said_.size() - kLogTail) : said_;
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
  }

 private:
  static void read_some(base::UniqueFd& fd, std::string& into) {
    std::array<char, 65536> piece{};
    const ssize_t n = fd ? ::read(fd.get(), piece.data(), piece.size()) : -1;
    if (n > 0) {
      into.append(piece.data(), static_cast<std::size_t>(n));
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
      fd.reset();
    }
  }

  pid_t pid_ = -1;
  base::UniqueFd answers_, log_;
  std::string received_, said_;
  bool is_late_ = false;
  base::ExitStatus status_;
};

std::string seconds_text(double seconds) {
  std::string text = json(seconds).dump();
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text + " s";
}

std::string what_happened(const Lister& child, const base::ExitStatus& status, double timeout_s) {
  if (child.is_late()) return "did not finish loading within " + seconds_text(timeout_s);
  if (status.signal) return "crashed while it was being loaded: " + base::describe(status);
  return "ended the process while it was being loaded: " + base::describe(status);
}

// Kind as a position in catalog::kKinds; unknown ones last.
std::ptrdiff_t rank(const std::string& kind) {
  return std::find(std::begin(catalog::kKinds), std::end(catalog::kKinds), kind) -
         std::begin(catalog::kKinds);
}

}  // namespace

catalog::Catalog assemble_catalog(std::vector<catalog::PluginRecord> records,
                                  std::vector<catalog::PluginRefusal> refusals) {
  // Stable: of equal ones the first in the search path stays first.
  std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    return rank(a.kind) != rank(b.kind) ? rank(a.kind) < rank(b.kind) : a.id < b.id;
  });
  catalog::Catalog catalog;
  catalog.refusals = std::move(refusals);
  for (auto first = records.begin(); first != records.end();) {
    auto last = std::find_if(first, records.end(), [&](const catalog::PluginRecord& r) {
      return r.kind != first->kind || r.id != first->id;
    });
    const auto other = std::find_if(first, last, [&](const catalog::PluginRecord& r) {
      return r.file_sha256 != first->file_sha256;
    });
    if (other == last) {
      catalog.plugins.push_back(std::move(*first));
    } else {
      for (auto record = first; record != last; ++record) {
        const fs::path& rival = record == first ? other->file : first->file;
        catalog.refusals.push_back({record->file,
                                    "offers " + record->kind + " " + record->id +
                                        ", and so does '" + rival.string() +
                                        "'; remove one of them or give it another id"});
      }
    }
    first = last;
  }
  std::stable_sort(catalog.refusals.begin(),
                   catalog.refusals.end(),
                   [](const auto& a, const auto& b) { return a.file < b.file; });
  return catalog;
}

catalog::Catalog inspect_in_child(const ListCommand& command, const std::vector<fs::path>& files) {
  std::vector<catalog::PluginRecord> records;
  std::vector<catalog::PluginRefusal> refusals;
  int cuda_devices = 0;
  std::size_t done = 0;  // files that are settled
  for (bool is_complete = false; !is_complete;) {
    const std::vector<fs::path> rest(files.begin() + static_cast<std::ptrdiff_t>(done),
                                     files.end());
    Lister child(command, rest);
    bool is_loading = false;
    bool is_disturbed = false;
    while (const auto line = child.next_line(command.timeout_s)) {
      try {
        const json answer = json::parse(*line);
        if (answer.contains("begin")) {
          is_loading = true;
        } else if (answer.contains("end")) {
          cuda_devices = answer.at("end").at("cuda_devices").get<int>();
          is_complete = true;
          break;
        } else {
          auto found = answer.at("found").get<catalog::Catalog>();
          UNMASK_CHECK(done < files.size() && found.plugins.size() + found.refusals.size() == 1,
                       "the child that lists plugins does not answer file by file");
          for (catalog::PluginRecord& record : found.plugins) {
            record.file = files[done];
            records.push_back(std::move(record));
          }
          for (catalog::PluginRefusal& refusal : found.refusals) {
            refusals.push_back({files[done], std::move(refusal.reason)});
          }
          ++done;
          is_loading = false;
        }
      } catch (const std::exception& problem) {
        if (!is_loading) {
          throw InternalError("the process that lists plugins answered nonsense: " +
                              std::string(problem.what()));
        }
        is_disturbed = true;
        break;
      }
    }
    const base::ExitStatus status = child.end();
    if (is_complete) break;
    if (!is_loading) {
      // Not a library's fault, so another child would end alike.
      const std::string said = child.said();
      throw PluginError("plugins cannot be listed: the process '" + command.argv.front() + "' " +
                        (child.is_late()
                             ? "did not answer within " + seconds_text(command.timeout_s)
                             : base::describe(status)) +
                        (said.empty() ? "" : "; it said: " + said));
    }
    refusals.push_back(
        {files[done],
         is_disturbed
             ? "wrote to a file descriptor of the process that loaded it, which is not its own"
             : what_happened(child, status, command.timeout_s)});
    ++done;
  }
  catalog::Catalog catalog = assemble_catalog(std::move(records), std::move(refusals));
  catalog.cuda_devices = cuda_devices;
  return catalog;
}

catalog::Catalog discover_in_child(const ListCommand& command,
                                   const std::vector<fs::path>& folders) {
  return inspect_in_child(command, list_libraries(folders));
}

}  // namespace unmask::loader

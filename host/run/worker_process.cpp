#include "run/worker_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/die_with_parent.hpp"
#include "text/utf8.hpp"
#include "unmask/errors.hpp"

namespace unmask::run {
namespace {

constexpr std::size_t kTailBytes = 4096;
constexpr std::size_t kTailLines = 20;

// Bytes taken in at one go, so that a worker that floods the host cannot keep it from the others.
constexpr std::size_t kReadBudget = std::size_t{8} << 20;

}  // namespace

WorkerLog::WorkerLog(const std::filesystem::path& file, std::size_t limit_bytes)
    : name_(file), limit_(limit_bytes) {
  if (file.empty()) return;
  file_.reset(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666));
  if (!file_) throw DataError("cannot open the log " + file.string() + ": " + std::strerror(errno));
}

void WorkerLog::begin(const std::string& heading) {
  if (file_ && in_file_ > limit_ && ::ftruncate(file_.get(), 0) == 0) in_file_ = 0;
  of_cell_ = 0;
  write("== " + heading + "\n");
  recent_.clear();
}

void WorkerLog::append(std::string_view bytes) {
  if (of_cell_ <= limit_) {
    const std::size_t room = limit_ - of_cell_;
    write(bytes.substr(0, room));
    if (bytes.size() > room) {
      write("\n== more than " + std::to_string(limit_) +
            " bytes: the rest of this cell's output is dropped\n");
    }
  }
  recent_.append(bytes.substr(bytes.size() - std::min(bytes.size(), 2 * kTailBytes)));
  if (recent_.size() > 8 * kTailBytes) recent_.erase(0, recent_.size() - 2 * kTailBytes);
}

std::string WorkerLog::tail() const {
  std::string_view text = recent_;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  text.remove_prefix(text.size() - std::min(text.size(), kTailBytes));
  std::size_t start = text.size();
  for (std::size_t lines = 0; lines < kTailLines && start != 0; ++lines) {
    const std::size_t end = text.rfind('\n', start - 1);
    start = end == std::string_view::npos ? 0 : end;
  }
  if (start != 0) ++start;  // behind the line end before the first kept line
  return words::printable(text.substr(start));
}

// The file is for a person's eyes; when the disk is full the run goes on without it.
void WorkerLog::write(std::string_view bytes) {
  of_cell_ += bytes.size();
  while (file_ && !bytes.empty()) {
    const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
    if (n >= 0) {
      in_file_ += static_cast<std::size_t>(n);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      file_.reset();
    }
  }
}

WorkerProcess::WorkerProcess(const WorkerCommand& command, WorkerLog& log) : log_(log) {
  std::array<int, 2> sockets{}, pipes{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
    throw InternalError(std::string("cannot make a socket for a worker: ") + std::strerror(errno));
  }
  socket_.reset(sockets[0]);
  const base::UniqueFd worker_socket(sockets[1]);
  if (::pipe2(pipes.data(), O_CLOEXEC) != 0) {
    throw InternalError(std::string("cannot make a pipe for a worker: ") + std::strerror(errno));
  }
  output_.reset(pipes[0]);
  const base::UniqueFd worker_output(pipes[1]);
  ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);

  base::ChildSpec spec;
  spec.argv = command.argv;
  for (std::string& argument : spec.argv) {
    if (argument == "{fd}") argument = std::to_string(kWorkerFd);
  }
  spec.env = command.env;
  std::string host_pid = base::kHostPidVariable;
  host_pid += '=';
  host_pid += std::to_string(::getpid());
  spec.env.push_back(std::move(host_pid));
  const base::UniqueFd input = base::memory_file(command.input);
  spec.fds = {{input.get(), 0},
              {worker_socket.get(), kWorkerFd},
              {worker_output.get(), 1},
              {worker_output.get(), 2}};
  spec.own_group = true;
  pid_ = base::spawn(spec);
}

WorkerProcess::~WorkerProcess() {
  if (status_) return;
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void WorkerProcess::send(const nlohmann::json& message) {
  outgoing_.erase(0, sent_);
  sent_ = 0;
  outgoing_ += base::encode_frame(message);
  flush();
}

void WorkerProcess::flush() {
  while (wants_to_write()) {
    const ssize_t n = ::send(socket_.get(),
                             outgoing_.data() + sent_,
                             outgoing_.size() - sent_,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      sent_ += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      // The worker is gone. What it said before can still be read; the end of the stream tells the
      // rest.
      sent_ = outgoing_.size();
    }
  }
}

void WorkerProcess::receive() {
  std::array<char, 65536> piece{};
  for (std::size_t taken = 0; socket_ && taken < kReadBudget;) {
    const ssize_t n = ::recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (n > 0) {
      decoder_.feed({piece.data(), static_cast<std::size_t>(n)});
      taken += static_cast<std::size_t>(n);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
      // unix(7): a peer that closes while there is unread data for it makes this error, not an end.
      left_unread_ = n < 0 && errno == ECONNRESET;
      socket_.reset();
    } else if (errno != EINTR) {
      return;
    }
  }
}

void WorkerProcess::read_output() {
  std::array<char, 65536> piece{};
  for (std::size_t taken = 0; output_ && taken < kReadBudget;) {
    const ssize_t n = ::read(output_.get(), piece.data(), piece.size());
    if (n > 0) {
      log_.append({piece.data(), static_cast<std::size_t>(n)});
      taken += static_cast<std::size_t>(n);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
      output_.reset();
    } else if (errno != EINTR) {
      return;
    }
  }
}

std::optional<base::ExitStatus> WorkerProcess::poll_exit() {
  if (status_) return status_;
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    if (errno == EINTR) return std::nullopt;
  } else if (info.si_pid == 0) {
    return std::nullopt;
  }
  // Not reaped yet, so the group id cannot belong to anybody else: what it left behind dies now.
  ::kill(-pid_, SIGKILL);
  // A stream socket and a pipe of a dead process hold less than one budget.
  receive();
  read_output();
  int wait_status = 0;
  while (::waitpid(pid_, &wait_status, 0) < 0 && errno == EINTR) {
  }
  status_ = base::exit_status(wait_status);
  return status_;
}

void WorkerProcess::signal(int number) {
  if (!status_) ::kill(-pid_, number);
}

}  // namespace unmask::run

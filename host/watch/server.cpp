#include "watch/server.hpp"

#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <nlohmann/json.hpp>

#include "unmask/errors.hpp"
#include "watch/events.hpp"
#include "watch/feed.hpp"
#include "watch/guard.hpp"
#include "watch/page.hpp"
#include "watch/writer.hpp"

namespace unmask::watch {
namespace {

// A stream keeps a thread of the pool for as long as the page is open; the rest answers the others.
constexpr int kMostStreams = 16;
constexpr std::size_t kThreads = kMostStreams + 4;

constexpr std::chrono::milliseconds kLookEvery{250};
constexpr double kClockEvery = 5;  // seconds; also finds out that a viewer is gone

constexpr std::size_t kMostBytesOfARequest = 4096;

std::string machine_name() {
  std::array<char, 256> buffer{};
  return ::gethostname(buffer.data(), buffer.size() - 1) == 0 ? buffer.data() : "";
}

// No SO_REUSEPORT, which the library sets by default: it would let another process of this user
// take a share of the connections.
void set_socket_options(socket_t socket) {
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

void answer(httplib::Response& response, int status, const std::string& text) {
  response.status = status;
  response.set_content(text + "\n", "text/plain; charset=utf-8");
}

}  // namespace

struct Server::Impl {
  explicit Impl(const ServerOptions& given)
      : options(given), feed(given.database), token(random_token()) {
    server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server.set_socket_options(set_socket_options);
    server.set_keep_alive_max_count(1);
    server.set_read_timeout(5, 0);
    server.set_write_timeout(10, 0);
    server.set_payload_max_length(kMostBytesOfARequest);
    const int taken = options.port == 0 ? server.bind_to_any_port(options.address)
                      : server.bind_to_port(options.address, options.port) ? options.port
                                                                           : -1;
    if (taken < 0) {
      throw UsageError("cannot listen on " + options.address + " port " +
                       std::to_string(options.port) +
                       ": the port is taken, or the address is none of this machine; choose "
                       "others with --port and --address");
    }
    port = taken;
    guard.emplace(token, options.address, port, machine_name());
    server.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
          return admit(request, response);
        });
    server.Get("/", [this](const httplib::Request&, httplib::Response& response) {
      response.set_header("Content-Security-Policy", content_security_policy());
      response.set_content(page(), "text/html; charset=utf-8");
    });
    server.Get("/events", [this](const httplib::Request& request, httplib::Response& response) {
      stream(request, response);
    });
  }

  httplib::Server::HandlerResponse admit(const httplib::Request& request,
                                         httplib::Response& response) const {
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("X-Frame-Options", "DENY");
    response.set_header("Referrer-Policy", "no-referrer");
    response.set_header("Cross-Origin-Opener-Policy", "same-origin");
    response.set_header("Cross-Origin-Resource-Policy", "same-origin");
    response.set_header("Cache-Control", "no-store");
    const auto refusal = guard->refuse({.method = request.method,
                                        .host = request.get_header_value("Host"),
                                        .origin = request.get_header_value("Origin"),
                                        .fetch_site = request.get_header_value("Sec-Fetch-Site"),
                                        .fetch_mode = request.get_header_value("Sec-Fetch-Mode"),
                                        .token = request.get_param_value("token")});
    if (!refusal) return httplib::Server::HandlerResponse::Unhandled;
    if (refusal->status == 405) response.set_header("Allow", "GET");
    answer(response, refusal->status, refusal->reason);
    return httplib::Server::HandlerResponse::Handled;
  }

  void stream(const httplib::Request& request, httplib::Response& response) {
    if (streams.fetch_add(1) >= kMostStreams) {
      streams.fetch_sub(1);
      answer(response, 503, "too many pages are open; close some");
      return;
    }
    struct State {
      Viewer viewer;
      std::string study;
      double clock_told = 0;
      bool is_new = true;
    };
    auto state = std::make_shared<State>();
    state->study = request.has_param("study") ? request.get_param_value("study") : options.study;
    response.set_chunked_content_provider(
        "text/event-stream",
        [this, state](std::size_t, httplib::DataSink& sink) {
          if (!state->is_new) pause();
          if (is_stopping || !sink.is_writable()) return false;  // a closed page gives up its place
          std::string text = state->viewer.news(feed.look(state->study));
          const double now = unix_now();
          if (state->is_new || now - state->clock_told >= kClockEvery) {
            text = (state->is_new ? "retry: 1000\n\n" : "") +
                   event("clock", nlohmann::json({{"now", now}}).dump()) + text;
            state->clock_told = now;
          }
          state->is_new = false;
          return text.empty() || sink.write(text.data(), text.size());
        },
        [this](bool) { streams.fetch_sub(1); });
  }

  void pause() {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, kLookEvery, [this] { return is_stopping.load(); });
  }

  ServerOptions options;
  Feed feed;
  std::string token;
  int port = 0;
  std::optional<Guard> guard;
  std::atomic<int> streams{0};
  std::atomic<bool> is_stopping{false}, has_served{false};
  std::mutex mutex;
  std::condition_variable wake;
  httplib::Server server;
};

Server::Server(const ServerOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Server::~Server() = default;

std::string Server::url() const {
  const std::string& address = impl_->options.address;
  // Nobody can open 0.0.0.0; a server that listens everywhere is reached under its name.
  const bool is_any = address == "0.0.0.0" || address == "::";
  std::string host = is_any ? machine_name() : address;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "http://" + host + ":" + std::to_string(impl_->port) + "/?token=" + impl_->token;
}

void Server::serve() {
  impl_->server.listen_after_bind();
  impl_->has_served = true;
}

void Server::stop() {
  impl_->is_stopping = true;
  impl_->wake.notify_all();
  // The library only ends what has begun.
  while (!impl_->server.is_running() && !impl_->has_served) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  impl_->server.stop();
}

}  // namespace unmask::watch

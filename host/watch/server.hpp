#pragma once
// The server behind `unmask watch`: the page, and a stream of events for it. It answers GET alone,
// reads the database alone, and only whom the guard lets in.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace unmask::watch {

struct ServerOptions {
  std::filesystem::path database;
  std::string address = "127.0.0.1";  ///< on which to listen
  int port = 0;                       ///< 0: any that is free
  std::string study = {};             ///< which the page shows first; empty: the one that ran last
};

class Server {
 public:
  /// Listens, and answers nobody yet. @throws UsageError when the address or port cannot be had
  explicit Server(const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The address of the page, with the token: "http://127.0.0.1:40123/?token=..."
  std::string url() const;

  /// Answer until stop(), which any thread may call.
  void serve();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace unmask::watch

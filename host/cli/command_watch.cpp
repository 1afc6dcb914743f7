// unmask watch: a page of this machine that shows a study while it runs, and afterwards.

#include <signal.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <thread>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "store/result_folders.hpp"
#include "unmask/errors.hpp"
#include "watch/guard.hpp"
#include "watch/server.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

// Signals that end the server, while it lives taken by wait() instead of by the process.
class EndSignals {
 public:
  EndSignals() {
    ::sigemptyset(&signals_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals_, number);
    ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    // A viewer that went away is found by what write() says.
    ::signal(SIGPIPE, SIG_IGN);
  }
  ~EndSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

  void wait() const {
    int number = 0;
    ::sigwait(&signals_, &number);
  }

 private:
  sigset_t signals_{}, before_{};
};

watch::ServerOptions options_of(const CommandLine& line) {
  watch::ServerOptions options;
  if (line.has("file") && line.is_given("db")) {
    throw UsageError("give the database once: as an argument or with --db");
  }
  const std::filesystem::path file =
      line.has("file") ? std::filesystem::path(line.get<std::string>("file")) : line.database();
  if (file.extension() == ".json") {
    throw UsageError(file.string() +
                     " is a manifest; unmask watch takes the results database, "
                     "and shows every study in it");
  }
  options.database = store::ResultFolders::of(file).database;
  options.address = line.get<std::string>("address");
  options.port = line.get<int>("port");
  options.study = line.has("study") ? line.get<std::string>("study") : "";
  if (options.port < 0 || options.port > 65535) {
    throw UsageError("--port is a number from 1 to 65535, or 0 for any that is free");
  }
  return options;
}

}  // namespace

int command_watch(const Arguments& arguments) {
  CommandLine line(
      "watch [FILE] [options]",
      "Serves a page that shows a study: progress, workers, time left, failures with the end of "
      "their logs,\naccuracies and training curves as they come. It reads the database while "
      "another process writes it,\nand goes on when that one ends. Open the address that it "
      "prints; Ctrl-C ends it. Nobody without the\naddress sees anything, and nothing can be "
      "changed through it. In a terminal: unmask status --follow.");
  line.positional("file", "the results database; as --db");
  line.options().add_options()(
      "port", po::value<int>()->default_value(0), "port; 0: any that is free")(
      "address",
      po::value<std::string>()->default_value("127.0.0.1"),
      "address to listen on; any but this machine's own lets others in who know the token, and is "
      "not encrypted")(
      "study", po::value<std::string>(), "study to show first; default: the one that ran last");
  line.add_database();
  if (!line.parse(arguments)) return 0;
  const watch::ServerOptions options = options_of(line);

  const EndSignals signals;
  watch::Server server(options);
  if (!watch::is_loopback(options.address)) {
    std::cerr << "warning: whoever can reach " << options.address
              << " and learns the address below sees the study; it travels unencrypted.\n";
  }
  if (!std::filesystem::exists(options.database)) {
    std::cerr << "note: " << options.database.string()
              << " does not exist yet; the page waits for it\n";
  }
  std::cout << "watching " << options.database.string() << "\n"
            << "open " << server.url() << "\n"
            << "Ctrl-C ends it\n"
            << std::flush;
  std::thread thread([&server] { server.serve(); });
  signals.wait();
  server.stop();
  thread.join();
  return 0;
}

}  // namespace unmask::cli

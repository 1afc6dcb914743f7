// Runs a target over the files of folders, and then over what it makes of them, for some seconds:
//
//   fuzz_plain TARGET [--seconds S] [--seed N] FILE|FOLDER...
//
// No instrumentation and no coverage: what continuous integration can afford, with any compiler. The
// input at hand lies in a file of the scratch folder, whose name is printed when the program dies.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "fuzz/targets.hpp"

namespace unmask::fuzz {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937_64;

// An input that takes longer than this hangs.
constexpr unsigned kPatienceS = 60;

const std::string* g_input = nullptr;
const char* g_finding = "fuzz-finding.bin";

// Keeps the input at hand beside the caller.
void keep_input() {
  if (g_input == nullptr) return;
  std::ofstream(g_finding, std::ios::binary) << *g_input;
  std::fprintf(stderr, "the input lies in %s\n", g_finding);
}

extern "C" void keep_and_die(int number) {
  keep_input();
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void run(const Target& target, const std::string& input) {
  g_input = &input;
  ::alarm(kPatienceS);
  try {
    target(input);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "finding: %s\n", error.what());
    keep_input();
    std::_Exit(1);
  }
  ::alarm(0);
  g_input = nullptr;
}

std::vector<std::string> read_all(const std::vector<std::string>& places) {
  std::vector<std::string> inputs;
  for (const std::string& place : places) {
    std::vector<fs::path> files = {place};
    if (fs::is_directory(place)) {
      files.assign(fs::directory_iterator(place), fs::directory_iterator());
    }
    std::sort(files.begin(), files.end());  // the same order everywhere
    for (const fs::path& file : files) inputs.push_back(base::read_file(file));
  }
  return inputs;
}

// Words of the inputs themselves: what stands between quotes, and numbers.
std::vector<std::string> words_of(const std::vector<std::string>& inputs) {
  std::vector<std::string> words = {"",
                                    "0",
                                    "-1",
                                    "1e309",
                                    "-1e-400",
                                    "null",
                                    "true",
                                    "[]",
                                    "{}",
                                    "\"\"",
                                    "18446744073709551616",
                                    "9223372036854775807",
                                    "\\u0000",
                                    "\xff"};
  for (const std::string& input : inputs) {
    for (std::size_t at = input.find('"'); at != std::string::npos && words.size() < 4000;) {
      const std::size_t end = input.find('"', at + 1);
      if (end == std::string::npos) break;
      if (end - at < 60) words.push_back(input.substr(at, end - at + 1));
      at = input.find('"', end + 1);
    }
  }
  return words;
}

std::size_t below(Random& random, std::size_t end) {
  return end == 0 ? 0 : random() % end;
}

void change(std::string& input,
            const std::vector<std::string>& inputs,
            const std::vector<std::string>& words,
            Random& random) {
  const std::size_t at = below(random, input.size() + 1);
  const std::size_t length = below(random, std::min<std::size_t>(input.size() - at, 64) + 1);
  switch (random() % 8) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << random() % 8));
      break;
    case 1:
      if (at < input.size()) input[at] = static_cast<char>(random());
      break;
    case 2: input.erase(at, length); break;
    case 3: input.insert(at, input.substr(at, length)); break;
    case 4: input.resize(at); break;
    case 5: {
      // Small numbers and numbers at the borders, as lengths are written.
      constexpr std::array<std::uint64_t, 8> kNumbers = {
          0, 1, 0x7f, 0xffff, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, ~0ULL};
      const std::uint64_t number = kNumbers[random() % kNumbers.size()];
      const std::size_t size = std::min<std::size_t>(1U << random() % 4, input.size() - at);
      if (size > 0) std::memcpy(input.data() + at, &number, size);
      break;
    }
    case 6: input.replace(at, length, words[random() % words.size()]); break;
    default: {
      const std::string& other = inputs[random() % inputs.size()];
      const std::size_t from = below(random, other.size());
      input.replace(at, length, other.substr(from, below(random, 256)));
    }
  }
}

// A quoted word of the input becomes another one: the text stays well formed.
void change_word(std::string& input, const std::vector<std::string>& words, Random& random) {
  const std::size_t at = input.find('"', below(random, input.size()));
  if (at == std::string::npos) return;
  const std::size_t end = input.find('"', at + 1);
  if (end != std::string::npos) input.replace(at, end - at + 1, words[random() % words.size()]);
}

int replay(const std::vector<std::string>& arguments) {
  double seconds = 0;
  std::uint64_t seed = 1;
  std::vector<std::string> places;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i] == "--seconds" && i + 1 < arguments.size()) {
      seconds = std::stod(arguments[++i]);
    } else if (arguments[i] == "--seed" && i + 1 < arguments.size()) {
      seed = std::stoull(arguments[++i]);
    } else {
      places.push_back(arguments[i]);
    }
  }
  const Target& function = target(arguments[0]);
  const std::vector<std::string> inputs = read_all(places);
  if (inputs.empty()) {
    std::fputs("there are no seeds\n", stderr);
    return 2;
  }
  for (const int number : {SIGSEGV, SIGABRT, SIGALRM, SIGFPE, SIGBUS, SIGILL}) {
    ::signal(number, keep_and_die);
  }
  for (const std::string& input : inputs) run(function, input);

  const std::vector<std::string> words = words_of(inputs);
  Random random(seed);
  std::size_t count = 0;
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                       std::chrono::duration<double>(seconds));
  while (std::chrono::steady_clock::now() < end) {
    std::string input = inputs[random() % inputs.size()];
    for (std::uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
      if (random() % 2 == 0) {
        change_word(input, words, random);
      } else {
        change(input, inputs, words, random);
      }
    }
    run(function, input);
    ++count;
  }
  std::printf("%s: %zu seeds, %zu changed ones, nothing found\n",
              arguments[0].c_str(),
              inputs.size(),
              count);
  return 0;
}

}  // namespace
}  // namespace unmask::fuzz

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: fuzz_... TARGET [--seconds S] [--seed N] FILE|FOLDER...\n", stderr);
    return 2;
  }
  return unmask::fuzz::replay({argv + 1, argv + argc});
}

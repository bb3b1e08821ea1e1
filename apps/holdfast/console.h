// Talking to the person or the script in front of the program.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include "archive/problem.h"
#include "archive/progress.h"
#include "base/clock.h"
#include "base/result.h"
#include "circle/format.h"
#include "crypto/key.h"
#include "json.h"
#include "options.h"

namespace holdfast::app {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kIncomplete = 3;
constexpr int kRefused = 4;

std::string human_bytes(std::uint64_t bytes);                   // "1.4 GiB"
std::string human_count(std::uint64_t n, std::string_view one,  // "1 file", "2 files"
                        std::string_view many);
std::string human_duration(double seconds);  // "1:02:03", "4.2 s"
// "standard", "advanced"
std::string_view level_name(circle::Level level);
// Safe on a terminal: control bytes and what is not UTF-8 become \xNN.
std::string printable(std::string_view text);

// Not for several threads. Results go to standard output, everything else to standard error.
class Console {
 public:
  explicit Console(const Common& common);

  bool json() const { return json_; }
  bool quiet() const { return quiet_; }
  bool can_ask() const { return can_ask_; }          // a person sits at standard input
  bool shows_terminal() const { return terminal_; }  // ... and reads standard error

  // A result in words; silent with --json.
  void print(std::string_view line);
  // What happened, in words; silent with --json or --quiet.
  void say(std::string_view line);
  void warn(std::string_view line);
  void alarm(std::string_view line);  // the same, red on a terminal
  // One object, one line, flushed at once; silent without --json.
  void event(const JsonObject& object);
  // A path as this standard output should get it: raw into a pipe, printable on a terminal.
  std::string path(std::string_view bytes) const;
  std::string strong(std::string_view text) const;  // bold on a terminal

  // Each problem and note on a line of its own; `verb` as in "could not VERB".
  void findings(const archive::Findings& findings, std::string_view verb);
  int failure(const Error& error);       // prints it; the exit code
  int usage(std::string_view sentence);  // likewise, kUsage
  // What was printed has arrived; a full disk behind a redirection is no success.
  bool flush();

  // Asks without echo, or reads the next line of standard input when no person sits there.
  Result<crypto::WipedBytes> secret(std::string_view prompt);
  // Yes from the person, or --yes. kInvalid when nobody can be asked.
  Result<bool> confirm(std::string_view question);
  // Yes from the person and nobody else.
  Result<bool> ask(std::string_view question);

 private:
  bool json_;
  bool quiet_;
  bool yes_;
  bool can_ask_;
  bool terminal_;
  bool output_terminal_;
};

// First line of a file ("-": of standard input), without its end.
Result<crypto::WipedBytes> read_secret_file(const std::string& path);

// Shows a running operation until it goes: one line with rate and ETA on a terminal, otherwise a
// plain line now and then.
class ProgressDisplay {
 public:
  // `one` and `many`: what progress.files counts.
  ProgressDisplay(const Console& console, const archive::Progress& progress, std::string verb,
                  std::string_view one = "file", std::string_view many = "files");
  double seconds() const;

 private:
  void run(const std::stop_token& stop) const;
  std::string text() const;

  const archive::Progress& progress_;
  const std::string verb_;
  const std::string_view one_;
  const std::string_view many_;
  const bool terminal_;
  const std::chrono::steady_clock::time_point start_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace holdfast::app

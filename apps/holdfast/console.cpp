#include "console.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <mutex>

#include "base/file.h"

namespace holdfast::app {
namespace {

constexpr std::size_t kMaxSecret = 4096;
constexpr std::uint8_t kInterrupt = 3;  // Ctrl-C

void put(std::FILE* to, std::string_view text) { std::fwrite(text.data(), 1, text.size(), to); }

void put_line(std::FILE* to, std::string_view line) {
  put(to, line);
  put(to, "\n");
}

// Echo is off while it lives, and on again even when a signal ends the program in between.
class EchoOff {
 public:
  EchoOff() {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP})
      sigaddset(&signals_, signal);
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    sigprocmask(SIG_BLOCK, &signals_, &mask_);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    // Without ISIG a Ctrl-C arrives as a byte; as VEOL it ends the line, and read_line() gives up.
    silent.c_lflag &= ~static_cast<tcflag_t>(ISIG);
    silent.c_cc[VEOL] = kInterrupt;
    active_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~EchoOff() {
    if (active_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    sigprocmask(SIG_SETMASK, &mask_, nullptr);
    put(stderr, "\n");
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

 private:
  termios before_{};
  sigset_t signals_{};
  sigset_t mask_{};
  bool active_ = false;
};

// Byte by byte: what follows the line stays for whoever reads next.
Result<crypto::WipedBytes> read_line(int fd, std::string_view name) {
  Bytes line;
  line.reserve(kMaxSecret);  // never grows, so no copy stays behind unwiped
  bool ended = false;
  while (!ended) {
    std::uint8_t byte = 0;
    const ssize_t n = ::read(fd, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("read", name, errno);
    if (n == 0 && line.empty())
      return Error{Code::kInvalid, std::string(name) + " ended before a line came."};
    if (n == 1 && byte == kInterrupt && isatty(fd) == 1) {
      crypto::wipe(line);
      return Error{Code::kInvalid, "You pressed Ctrl-C; nothing was changed by this step."};
    }
    ended = n == 0 || byte == '\n';
    if (ended) break;
    if (line.size() == kMaxSecret) {
      crypto::wipe(line);
      return Error{Code::kInvalid, "The first line of " + std::string(name) + " is too long."};
    }
    line.push_back(byte);
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return crypto::WipedBytes(std::move(line));
}

std::string advice(const Error& error) {
  switch (error.code) {
    case Code::kOutdated:
      return "Update required: a newer Holdfast wrote this. Nothing was changed.";
    case Code::kUnsafe:
      return "Refused for your safety: what the store shows cannot be true. Keep the evidence, do "
             "not delete this device's state, and compare with another of your devices.";
    case Code::kCorrupt:
      return "The bytes in the store are damaged. `holdfast check --read-data` lists what is "
             "affected; put the store's files back from a copy if you have one.";
    case Code::kNotFound:
    case Code::kDenied:
    case Code::kInvalid:
    case Code::kConflict:
    case Code::kUnavailable: return "";
  }
  return "";
}

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string with_digits(double value, int digits, std::string_view unit) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f ", digits, value);
  return text.data() + std::string(unit);
}

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return with_digits(value, unit == 0 || value >= 100 ? 0 : 1, kUnits.at(unit));
}

std::string human_count(std::uint64_t n, std::string_view one, std::string_view many) {
  return std::to_string(n) + " " + std::string(n == 1 ? one : many);
}

std::string human_duration(double seconds) {
  if (seconds < 60) return with_digits(seconds, 1, "s");
  const auto whole = static_cast<unsigned long long>(seconds);
  std::array<char, 64> text{};
  if (whole < 3600)
    std::snprintf(text.data(), text.size(), "%llu:%02llu", whole / 60, whole % 60);
  else
    std::snprintf(text.data(), text.size(), "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60,
                  whole % 60);
  return text.data();
}

std::string_view level_name(circle::Level level) {
  return level == circle::Level::kStandard ? "standard" : "advanced";
}

std::string printable(std::string_view text) {
  const bool utf8 = is_utf8(text);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // C1 controls (U+0080..9F) are two bytes of UTF-8 that some terminals obey.
    const bool c1 =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    const bool after_c1 = byte < 0xa0 && i > 0 && static_cast<unsigned char>(text[i - 1]) == 0xc2;
    if (byte < 0x20 || byte == 0x7f || c1 || after_c1 || (byte >= 0x80 && !utf8))
      out += "\\x" + to_hex(BytesView(&byte, 1));
    else
      out += static_cast<char>(byte);
  }
  return out;
}

Console::Console(const Common& common)
    : json_(common.json),
      quiet_(common.quiet),
      yes_(common.yes),
      can_ask_(isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1),
      terminal_(isatty(STDERR_FILENO) == 1),
      output_terminal_(isatty(STDOUT_FILENO) == 1) {}

void Console::print(std::string_view line) {
  if (!json_) put_line(stdout, line);
}

void Console::say(std::string_view line) {
  if (!json_ && !quiet_) put_line(stdout, line);
}

void Console::alarm(std::string_view line) {
  warn(terminal_ ? "\033[31m" + std::string(line) + "\033[0m" : std::string(line));
}

void Console::warn(std::string_view line) {
  if (!json_) std::fflush(stdout);
  put_line(stderr, line);
}

void Console::event(const JsonObject& object) {
  if (!json_) return;
  put_line(stdout, object.line());
  std::fflush(stdout);
}

std::string Console::path(std::string_view bytes) const {
  return output_terminal_ ? printable(bytes) : std::string(bytes);
}

std::string Console::strong(std::string_view text) const {
  return output_terminal_ ? "\033[1m" + std::string(text) + "\033[0m" : std::string(text);
}

void Console::findings(const archive::Findings& findings, std::string_view verb) {
  for (const archive::Problem& problem : findings.problems) {
    event(JsonObject("problem").path("path", problem.path).path("reason", problem.reason));
    if (!json_)
      warn("holdfast: could not " + std::string(verb) + " " + printable(problem.path) + ": " +
           printable(problem.reason));
  }
  for (const archive::Note& note : findings.notes) {
    event(JsonObject("note").path("path", note.path).path("reason", note.reason));
    if (!json_ && !quiet_) warn("note: " + printable(note.path) + ": " + printable(note.reason));
  }
}

int Console::failure(const Error& error) {
  const std::string more = advice(error);
  event(JsonObject("error")
            .text("code", code_name(error.code))
            .path("message", error.message)
            .text("advice", more));
  if (!json_) {
    warn("holdfast: " + printable(error.message));
    if (!more.empty()) warn(more);
  }
  return error.code == Code::kUnsafe ? kRefused : kFailed;
}

int Console::usage(std::string_view sentence) {
  event(JsonObject("error").text("code", "usage").path("message", sentence).text("advice", ""));
  if (!json_) warn("holdfast: " + printable(sentence));
  return kUsage;
}

bool Console::flush() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

Result<crypto::WipedBytes> Console::secret(std::string_view prompt) {
  if (!can_ask_) return read_line(STDIN_FILENO, "standard input");
  std::fflush(stdout);
  put(stderr, prompt);
  std::fflush(stderr);
  const EchoOff silent;
  return read_line(STDIN_FILENO, "the terminal");
}

Result<bool> Console::ask(std::string_view question) {
  if (!can_ask_)
    return Error{Code::kInvalid,
                 "This needs a yes, and there is no terminal to ask on; repeat it with --yes."};
  std::fflush(stdout);
  put(stderr, std::string(question) + " [y/N] ");
  std::fflush(stderr);
  const crypto::WipedBytes answer = TRY(read_line(STDIN_FILENO, "the terminal"));
  const std::string_view text = as_text(answer.view());
  return text == "y" || text == "Y" || text == "yes";
}

Result<bool> Console::confirm(std::string_view question) {
  if (yes_) return true;
  return ask(question);
}

Result<crypto::WipedBytes> read_secret_file(const std::string& path) {
  if (path == "-") return read_line(STDIN_FILENO, "standard input");
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return io_error("open", path, errno);
  return read_line(fd.get(), path);
}

ProgressDisplay::ProgressDisplay(const Console& console, const archive::Progress& progress,
                                 std::string verb, std::string_view one, std::string_view many)
    : progress_(progress),
      verb_(std::move(verb)),
      one_(one),
      many_(many),
      terminal_(console.shows_terminal()),
      start_(std::chrono::steady_clock::now()) {
  if (!console.json() && !console.quiet())
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

double ProgressDisplay::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void ProgressDisplay::run(const std::stop_token& stop) const {
  const auto pause = terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(30000);
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  while (!stopped.wait_for(lock, stop, pause, [&] { return stop.stop_requested(); }))
    put(stderr,
        terminal_ ? "\r" + text().substr(0, terminal_width() - 1) + "\033[K" : text() + "\n");
  if (terminal_) put(stderr, "\r\033[K");
  std::fflush(stderr);
}

std::string ProgressDisplay::text() const {
  const std::uint64_t bytes = progress_.bytes.load();
  const std::uint64_t total = progress_.total_bytes.load();
  const double rate = static_cast<double>(bytes) / std::max(seconds(), 0.001);
  std::string out =
      verb_ + " " + human_count(progress_.files.load(), one_, many_) + ", " + human_bytes(bytes);
  if (total > 0) out += " of " + human_bytes(total);
  out += ", " + human_bytes(static_cast<std::uint64_t>(rate)) + "/s";
  if (total > bytes && rate > 1)
    out += ", " + human_duration(std::ceil(static_cast<double>(total - bytes) / rate)) + " left";
  return out;
}

}  // namespace holdfast::app

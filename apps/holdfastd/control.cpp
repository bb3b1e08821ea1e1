#include "control.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include "json.h"
#include "lawful_acts.h"

namespace holdfast::daemon {
namespace {

constexpr std::size_t kMaxRequest = 512 * 1024;
constexpr std::size_t kMaxAnswer = 256 * 1024 * 1024;  // all accounts, the whole trail
constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;
constexpr int kPatienceMs = 10'000;
constexpr int kAttempts = 60;

std::string failed(const Error& error) {
  return line_of({{"ok", false}, {"code", code_name(error.code)}, {"error", error.message}});
}

Result<Json> invite(server::Service& service, const Clock& clock, const Json& request) {
  const auto days = request.value("days", std::int64_t{7});
  if (days < 1 || days > 365)
    return Error{Code::kInvalid, "an invitation is good for 1 to 365 days"};
  const std::string token = TRY(service.accounts().invite(clock.now(), days * kDayMs));
  return Json{{"ok", true}, {"invitation", token}, {"days", days}};
}

Result<Json> list(server::Service& service) {
  Json rows = Json::array();
  for (const std::string& name : TRY(service.accounts().names())) {
    const auto row = TRY(service.accounts().find(name));
    if (!row) continue;
    Json one{{"account", name}, {"created_ms", row->created_ms}};
    if (row->quota) one["quota"] = *row->quota;
    if (row->deletion_ms) one["deletion_ms"] = *row->deletion_ms;
    rows.push_back(std::move(one));
  }
  return Json{{"ok", true}, {"accounts", std::move(rows)}};
}

Result<Json> set_quota(server::Service& service, const Json& request) {
  std::optional<std::uint64_t> quota;
  if (request.contains("quota")) quota = request.at("quota").get<std::uint64_t>();
  TRY(service.accounts().set_quota(request.at("account").get<std::string>(), quota));
  return Json{{"ok", true}};
}

Result<Json> trail(server::Service& service) {
  Json entries = Json::array();
  for (const Bytes& entry : TRY(service.operators().entries())) entries.push_back(to_hex(entry));
  return Json{{"ok", true}, {"entries", std::move(entries)}};
}

Result<Json> append_to_trail(server::Service& service, const Json& request) {
  const auto entry = from_hex(request.at("entry").get<std::string>());
  if (!entry) return Error{Code::kInvalid, "an entry of the trail is hexadecimal"};
  const auto done = service.operators().append(*entry);
  if (!done.ok() && done.error().code == Code::kConflict)
    return Error{Code::kConflict,
                 "another operator acted just now; look at holdfastd operator list and try again"};
  TRY(done);
  return Json{{"ok", true}};
}

Result<server::PublicLog*> log_of(server::Service& service) {
  if (service.log() != nullptr) return service.log();
  return Error{Code::kInvalid,
               "policies stand in the public log of a service that runs: start it, with --log and "
               "--policy-key"};
}

Result<Json> policies(server::Service& service) {
  const server::PublicLog* const log = TRY(log_of(service));
  Json all = Json::array();
  for (const Bytes& policy : log->policies()) all.push_back(to_hex(policy));
  return Json{{"ok", true}, {"policies", std::move(all)}};
}

Result<Json> append_policy(server::Service& service, const Json& request) {
  server::PublicLog* const log = TRY(log_of(service));
  const auto policy = from_hex(request.at("policy").get<std::string>());
  if (!policy) return Error{Code::kInvalid, "a signed policy is hexadecimal here"};
  TRY(log->append_policy(*policy));
  return Json{{"ok", true}};
}

// What the account is now is for the operators; a stranger is told nothing of it.
Result<Json> help_list(server::Service& service) {
  Json rows = Json::array();
  for (const server::HelpRow& row : TRY(service.helping().list())) {
    const auto circle = TRY(service.circle_of(row.account));
    Json one{{"code", circle::help_code(row.request)},
             {"account", row.account},
             {"request", to_hex(row.request)},
             {"received_ms", row.received_ms},
             {"grants", row.grants.size()}};
    if (circle) {
      one["circle"] = circle->id().hex();
      one["standard"] = circle->custodian() != nullptr;
      one["devices"] = circle->members().size();
    }
    rows.push_back(std::move(one));
  }
  return Json{{"ok", true}, {"requests", std::move(rows)}};
}

Result<Bytes> bytes_in(const Json& request, const char* name) {
  auto bytes = from_hex(request.at(name).get<std::string>());
  if (!bytes) return Error{Code::kInvalid, "what is signed is sent in hexadecimal"};
  return *std::move(bytes);
}

Error acted_meanwhile(Error error) {
  if (error.code != Code::kConflict || error.message.find("does not follow") == std::string::npos)
    return error;
  return {Code::kConflict,
          "another operator acted just now; look at holdfastd operator list and try again"};
}

Result<Json> help_grant(server::Service& service, const Json& request) {
  const auto row = TRY(service.helping().find(request.at("code").get<std::string>()));
  const auto circle = TRY(service.circle_of(row.account));
  if (!circle) return Error{Code::kNotFound, "there is no account of that name here"};
  const Bytes grant = TRY(bytes_in(request, "grant"));
  const Bytes entry = TRY(bytes_in(request, "entry"));
  auto done = service.helping().grant(row, circle->id(), grant, entry);
  if (!done.ok()) return acted_meanwhile(std::move(done).error());
  return Json{{"ok", true}, {"grants", row.grants.size() + 1}};
}

Result<Json> help_refuse(server::Service& service, const Json& request) {
  const auto row = TRY(service.helping().find(request.at("code").get<std::string>()));
  const Bytes entry = TRY(bytes_in(request, "entry"));
  auto done = service.helping().refuse(row, entry);
  if (!done.ok()) return acted_meanwhile(std::move(done).error());
  return Json{{"ok", true}};
}

Result<Json> dispatch(server::Service& service, const Clock& clock, const Json& request) {
  const auto what = request.at("act").get<std::string>();
  if (what == "invite") return invite(service, clock, request);
  if (what == "accounts") return list(service);
  if (what == "quota") return set_quota(service, request);
  if (what == "trail") return trail(service);
  if (what == "trail_append") return append_to_trail(service, request);
  if (what == "policies") return policies(service);
  if (what == "policy_append") return append_policy(service, request);
  if (what == "help_list") return help_list(service);
  if (what == "help_grant") return help_grant(service, request);
  if (what == "help_refuse") return help_refuse(service, request);
  if (what.starts_with("lawful_")) return lawful_act(service, clock, what, request);
  return Error{Code::kInvalid, "the service knows no such act"};
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{Code::kInvalid, path + " is too long for a socket's name"};
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  return address;
}

// Up to the line feed; what takes too long or is too much is cut off.
std::string read_line(int fd, std::size_t limit) {
  std::string text;
  while (text.size() < limit && !text.ends_with('\n')) {
    pollfd p{fd, POLLIN, 0};
    if (::poll(&p, 1, kPatienceMs) <= 0) break;
    char piece[4096];
    const ssize_t got = ::recv(fd, piece, sizeof piece, 0);
    if (got <= 0) break;
    text.append(piece, static_cast<std::size_t>(got));
  }
  return text;
}

void write_line(int fd, const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const ssize_t put = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (put <= 0) return;
    at += static_cast<std::size_t>(put);
  }
}

// nullopt: no service runs there.
Result<std::optional<std::string>> ask_running(const std::string& path,
                                               const std::string& request) {
  const auto address = TRY(address_of(path));
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return io_error("open", path, errno);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return std::optional<std::string>();
    return io_error("open", path, errno);
  }
  write_line(fd.get(), request);
  std::string answer = read_line(fd.get(), kMaxAnswer);
  if (answer.empty())
    return Error{Code::kUnavailable, "the service that runs here did not answer; ask again"};
  return std::optional(std::move(answer));
}

// Root would leave files that the service cannot open.
Result<void> require_owner(const std::string& data) {
  struct stat info{};
  if (::geteuid() != 0 || ::stat(data.c_str(), &info) != 0 || info.st_uid == 0) return Ok{};
  return Error{Code::kDenied, "no service runs on " + data +
                                  ", which is not root's: start it, or run this as its user"};
}

// Without a service that runs.
Result<std::string> act_alone(const std::string& data, const std::string& request) {
  if (!exists(data + "/service.db"))
    return Error{Code::kNotFound, "there is no service in " + data + "; holdfastd serve --data " +
                                      data + " makes one"};
  TRY(require_owner(data));
  const auto clock = std::make_shared<SystemClock>();
  server::ServiceOptions options;
  options.data = data;
  const auto service = TRY(server::Service::open(std::move(options), clock));
  return act(*service, *clock, request);
}

Result<std::string> answer_to(const std::string& data, const std::string& request) {
  for (int attempt = 1;; ++attempt) {
    auto running = TRY(ask_running(data + "/control", request));
    if (running) return *std::move(running);
    auto alone = act_alone(data, request);
    // A service that is just starting has the directory and does not answer yet.
    if (alone.ok() || alone.error().code != Code::kUnavailable || attempt == kAttempts)
      return alone;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// What it cannot be is a matter of versions.
Code code_named(const std::string& name) {
  for (const Code code : {Code::kNotFound, Code::kDenied, Code::kInvalid, Code::kCorrupt,
                          Code::kConflict, Code::kUnavailable, Code::kUnsafe, Code::kOutdated})
    if (code_name(code) == name) return code;
  return Code::kUnavailable;
}

}  // namespace

std::string act(server::Service& service, const Clock& clock, const std::string& request) {
  try {
    const auto done = dispatch(service, clock, Json::parse(request));
    return done.ok() ? line_of(*done) : failed(done.error());
  } catch (const std::exception&) {
    return failed({Code::kInvalid, "the request is not what this program sends"});
  }
}

Result<std::string> ask(const std::string& data, const std::string& request) {
  std::string answer = TRY(answer_to(data, request));
  const Json json = Json::parse(answer, nullptr, false);
  if (json.is_object() && json.value("ok", false)) return answer;
  if (!json.is_object() || !json.contains("error"))
    return Error{Code::kUnavailable, "the service that runs here did not answer; ask again"};
  return Error{code_named(json.value("code", "")), json.value("error", "")};
}

Control::Control(Fd socket, std::string path, server::Service& service, const Clock& clock)
    : socket_(std::move(socket)),
      path_(std::move(path)),
      service_(service),
      clock_(clock),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Control::~Control() {
  thread_.request_stop();
  ::shutdown(socket_.get(), SHUT_RDWR);  // ends its wait
  thread_.join();
  ::unlink(path_.c_str());
}

Result<std::unique_ptr<Control>> Control::start(const std::string& data, server::Service& service,
                                                const Clock& clock) {
  const std::string path = data + "/control";
  const auto address = TRY(address_of(path));
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return io_error("open", path, errno);
  ::unlink(path.c_str());  // of a service that was killed; the lock says that none runs
  const mode_t before = ::umask(0077);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int failed = errno;
  ::umask(before);
  if (bound != 0) return io_error("create", path, failed);
  if (::listen(fd.get(), 16) != 0) return io_error("open", path, errno);
  return std::unique_ptr<Control>(new Control(std::move(fd), path, service, clock));
}

void Control::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Fd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return;
    }
    write_line(peer.get(), act(service_, clock_, read_line(peer.get(), kMaxRequest)));
  }
}

}  // namespace holdfast::daemon

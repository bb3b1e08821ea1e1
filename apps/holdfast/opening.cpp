#include "opening.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "commands.h"
#include "net/client.h"
#include "vault/help.h"
#include "waiting.h"

namespace holdfast::app {
namespace {

constexpr std::string_view kFolderScheme = "dir:";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// "dir:PATH" with the path absolute, or the address of a service, so that it may be remembered.
Result<std::string> absolute_server(std::string_view server) {
  if (server.starts_with("https://")) {
    TRY(net::parse_address(std::string(server)));
    return std::string(server);
  }
  if (!server.starts_with(kFolderScheme) || server.size() == kFolderScheme.size())
    return Error{Code::kInvalid, "\"" + std::string(server) +
                                     "\" is no store: give https://HOST:PORT, a service, or "
                                     "dir:PATH, a folder (a disk, a stick, a mounted share)."};
  std::error_code failed;
  const std::filesystem::path path =
      std::filesystem::absolute(server.substr(kFolderScheme.size()), failed);
  if (failed) return Error{Code::kUnavailable, "The working directory is gone."};
  return std::string(kFolderScheme) + path.lexically_normal().string();
}

bool is_folder(std::string_view server) { return server.starts_with(kFolderScheme); }

Result<Bytes> parse_pin(const std::string& text) {
  const auto pin = from_hex(text);
  if (!pin || pin->size() != 32)
    return Error{Code::kInvalid,
                 "A fingerprint has 64 hexadecimal digits; holdfastd prints it when it starts."};
  return *pin;
}

// The key that is expected there: given, or shown to the person who compares it. --yes does not
// count: nobody else can know it.
Result<Bytes> learn_pin(const Common& common, const std::string& server, Console& console) {
  if (!common.server_fingerprint.empty()) return parse_pin(common.server_fingerprint);
  const auto address = TRY(net::parse_address(server));
  if (!console.can_ask())
    return Error{Code::kInvalid,
                 "Give --server-fingerprint HEX, the service's key as its operator publishes it; "
                 "nobody is here to compare it."};
  const Bytes pin = TRY(net::fetch_pin(address));
  console.warn("The service at " + printable(server) + " shows this key:\n\n    " + to_hex(pin) +
               "\n\nCompare it with what its operator publishes, by another way than this line.");
  if (!TRY(console.ask("Is it the same?")))
    return Error{Code::kUnsafe, "The key is not the operator's. Nothing was sent."};
  return pin;
}

Result<std::unique_ptr<api::Store>> open_store(const std::string& server, store::Create create,
                                               const Bytes& pin, const std::string& invitation,
                                               std::uint64_t bytes_per_second = 0) {
  if (is_folder(server) && bytes_per_second > 0)
    return Error{Code::kInvalid, "A rate is for a service; a folder takes as fast as it can."};
  if (is_folder(server)) return store::open_folder(server.substr(kFolderScheme.size()), create);
  return net::open_service(TRY(net::parse_address(server)), pin, invitation, bytes_per_second);
}

bool same(const crypto::WipedBytes& a, const crypto::WipedBytes& b) {
  return as_text(a.view()) == as_text(b.view());  // both typed here just now
}

}  // namespace

Result<vault::Unlock> ask_unlock(const std::string& file, Wanted wanted, Console& console) {
  if (!file.empty()) {
    crypto::WipedBytes secret = TRY(read_secret_file(file));
    if (secret.view().empty())
      return Error{Code::kInvalid, "The first line of " + file + " is empty; a passphrase is not."};
    return vault::Unlock{std::move(secret)};
  }
  if (!console.can_ask())
    return Error{Code::kInvalid,
                 "There is no terminal to ask for the passphrase on; give --passphrase-file F, or "
                 "--unattended for a device that opens itself by a key file."};
  const bool fresh = wanted == Wanted::kNew;
  crypto::WipedBytes first =
      TRY(console.secret(fresh ? "A passphrase for this device: " : "This device's passphrase: "));
  if (fresh) {
    if (first.view().empty()) return Error{Code::kInvalid, "The passphrase is empty."};
    const crypto::WipedBytes second = TRY(console.secret("The same again: "));
    if (!same(first, second))
      return Error{Code::kInvalid, "The two passphrases differ; nothing was changed."};
  }
  return vault::Unlock{std::move(first)};
}

Result<vault::Home> open_member_home(const Common& common, Console& console) {
  if (!exists(common.home))
    return Error{Code::kNotFound, "There is no device at " + common.home +
                                      "; begin with holdfast init, join or recover."};
  vault::Home home = TRY(vault::Home::open(common.home));
  // Whom the provider helped reads like a member.
  const bool asked = home.has_device() && !TRY(vault::asked_for_help(home)).empty();
  if (!home.is_member() && !asked)
    return Error{Code::kNotFound, "The device at " + common.home +
                                      " belongs to no account yet; begin with holdfast init, join "
                                      "or recover."};
  if (home.unattended()) {
    TRY(home.unlock({}));
  } else if (common.unattended) {
    return Error{Code::kDenied,
                 "This device is sealed by a passphrase, not by a key file; leave out --unattended "
                 "and give the passphrase."};
  } else {
    const vault::Unlock unlock =
        TRY(ask_unlock(common.passphrase_file, Wanted::kStanding, console));
    TRY(home.unlock(unlock));
  }
  return home;
}

namespace {

// Of the service that this device knows, or learns now.
Result<Bytes> standing_pin(const Common& common, const vault::Home& home, const std::string& server,
                           Console& console) {
  const std::string known = home.setting("server_pin");
  if (known.empty()) return learn_pin(common, server, console);
  Bytes pin = TRY(parse_pin(known));
  if (common.server_fingerprint.empty()) return pin;
  const Bytes named = TRY(parse_pin(common.server_fingerprint));
  if (named == pin) return pin;
  return Error{Code::kUnsafe,
               "This device knows its service by another key than --server-fingerprint "
               "names. Nothing was sent. An account's service cannot change its key."};
}

}  // namespace

Result<std::unique_ptr<Opened>> open_member(const Common& common, const std::string& invitation,
                                            Console& console) {
  vault::Home home = TRY(open_member_home(common, console));
  const std::string named = common.server.empty() ? home.setting("server") : common.server;
  if (named.empty())
    return Error{
        Code::kInvalid,
        "This device does not remember its store; give --server https://HOST:PORT or dir:PATH."};
  const std::string server = TRY(absolute_server(named));
  Bytes pin;
  if (!is_folder(server)) pin = TRY(standing_pin(common, home, server, console));
  std::unique_ptr<api::Store> store =
      TRY(open_store(server, store::Create::kNo, pin, invitation, common.upload_bytes_per_second));
  return std::unique_ptr<Opened>(new Opened{std::move(home), std::move(store), {}, {}});
}

void tell_contradiction(const vault::Account& account, Console& console) {
  const auto& standing = account.contradiction();
  if (!standing) return;
  const std::string_view sentence = as_text(standing->sentence);
  console.event(JsonObject("contradiction")
                    .text("sentence", printable(sentence))
                    .integer("found_ms", standing->found_ms));
  console.alarm(
      "The service contradicted itself, as this device found on " + human_time(standing->found_ms) +
      ": " + printable(sentence) +
      ".\nUntil you have judged that, this device saves nothing there and admits nobody. Reading "
      "goes "
      "on, with what was verified before. Ask the operator by another way than this service; if "
      "you then trust it again: holdfast log accept --reason TEXT");
}

namespace {

void tell_withheld(const vault::Account& account, Console& console) {
  const std::string& why = account.log_withheld();
  if (why.empty()) return;
  console.warn(
      "The service's log could not be checked: " + printable(why) +
      ".\nUntil it can be, this device saves nothing there and admits nobody. Reading goes "
      "on, with what was verified before. Try again soon; if this lasts, ask the operator, "
      "by another way than this service, why.");
}

}  // namespace

Result<void> tell_opened(Opened& opened, Console& console, Tell tell) {
  tell_contradiction(opened.account(), console);
  tell_withheld(opened.account(), console);
  const auto& log = opened.account().log_status();
  if (log)
    for (const std::string& alarm : log->alarms) console.warn(alarm);
  if (log && log->stale())
    console.warn("The newest state of the service's log that witnesses signed is " +
                 human_duration(static_cast<double>(*log->age_s)) +
                 " old. Backups go on; after three days nobody is admitted by it.");
  if (tell != Tell::kNoPolicy) tell_policy(opened.account(), console);
  if (tell != Tell::kNoWaiting) TRY(tell_waiting(opened.account(), console));
  if (tell != Tell::kNoLosses) TRY(tell_losses(opened.account(), opened.clock.now(), console));
  return Ok{};
}

Result<std::unique_ptr<Opened>> open_account(const Common& common, Console& console, Tell tell) {
  auto opened = TRY(open_member(common, "", console));
  opened->opened.emplace(TRY(vault::Account::open(opened->home, *opened->store, opened->clock)));
  TRY(tell_opened(*opened, console, tell));
  return opened;
}

Result<std::unique_ptr<api::Store>> open_stranger(const Common& common, Console& console) {
  const std::string server = TRY(absolute_server(common.server));
  const Bytes pin = is_folder(server) ? Bytes() : TRY(learn_pin(common, server, console));
  return open_store(server, store::Create::kNo, pin, "");
}

Result<std::string> read_invitation(const std::string& file) {
  if (file.empty()) return std::string();
  const crypto::WipedBytes text = TRY(read_secret_file(file));
  return std::string(as_text(text.view()));
}

Result<std::unique_ptr<Fresh>> open_fresh(const Common& common, store::Create create,
                                          const std::string& invitation, Console& console) {
  const std::string server = TRY(absolute_server(common.server));
  vault::Home home = TRY(vault::Home::open(common.home));
  if (home.is_member())
    return Error{Code::kConflict, "The device at " + common.home + " already belongs to account " +
                                      home.setting("account") +
                                      "; for a second device on this machine give another --home."};
  const Bytes pin = is_folder(server) ? Bytes() : TRY(learn_pin(common, server, console));
  std::unique_ptr<api::Store> store = TRY(open_store(server, create, pin, invitation));
  vault::Unlock unlock;
  if (!common.unattended) unlock = TRY(ask_unlock(common.passphrase_file, Wanted::kNew, console));
  TRY(home.create_device(unlock));
  TRY(home.set_setting("server", server));
  TRY(home.set_setting("server_pin", to_hex(pin)));
  return std::unique_ptr<Fresh>(new Fresh{std::move(home), std::move(store), {}});
}

Result<std::unique_ptr<Fresh>> open_asking(const Common& common, Console& console) {
  vault::Home home = TRY(vault::Home::open(common.home));
  const std::string asked = home.has_device() ? TRY(vault::asked_for_help(home)) : "";
  if (home.is_member() || asked.empty()) return std::unique_ptr<Fresh>();
  vault::Unlock unlock;
  if (!home.unattended())
    unlock = TRY(ask_unlock(common.passphrase_file, Wanted::kStanding, console));
  TRY(home.unlock(unlock));
  const std::string server = home.setting("server");
  const Bytes pin = TRY(standing_pin(common, home, server, console));
  auto store = TRY(open_store(server, store::Create::kNo, pin, ""));
  return std::unique_ptr<Fresh>(new Fresh{std::move(home), std::move(store), {}});
}

std::string default_home() {
  if (std::string home = environment("HOLDFAST_HOME"); !home.empty()) return home;
  std::string user = environment("HOME");
  if (user.empty()) {
    const passwd* entry = getpwuid(getuid());
    user = entry == nullptr ? "/" : entry->pw_dir;
  }
  return user + "/.local/state/holdfast";
}

std::string default_account() {
  const passwd* entry = getpwuid(getuid());
  return entry == nullptr || entry->pw_name[0] == '\0' ? "me" : entry->pw_name;
}

std::string default_device_name() {
  std::array<char, 65> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "device";
  return name.data();
}

std::optional<std::uint64_t> rate_of(std::string_view text) {
  std::uint64_t unit = 1;
  if (!text.empty()) {
    const std::size_t at = std::string_view("KMG").find(text.back());
    if (at != std::string_view::npos) {
      unit = std::uint64_t{1} << (10 * (at + 1));
      text.remove_suffix(1);
    }
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0 ||
      value > UINT64_MAX / unit)
    return std::nullopt;
  return value * unit;
}

Where split_where(std::string_view text) {
  const std::size_t at = text.find(":/");
  if (at == std::string_view::npos) return {std::string(text), ""};
  std::string path(text.substr(at + 1));
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return {std::string(text.substr(0, at)), path};
}

}  // namespace holdfast::app

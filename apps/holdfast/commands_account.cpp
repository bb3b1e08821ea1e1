#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/file.h"
#include "commands.h"
#include "keys/spoken.h"
#include "opening.h"

namespace holdfast::app {
namespace {

constexpr std::int64_t kApprovePatienceMs = 120'000;
constexpr int kKeyTries = 3;

constexpr std::string_view kNeedsServer =
    "Which store? Give --server https://HOST:PORT (a service) or dir:PATH (a disk, a stick, a "
    "mounted "
    "share).";
constexpr std::string_view kKeepKey =
    "Keep it where you will find it when every device is gone: whoever has it can read everything.";

// A key on its way to the person; wiped when it goes.
class Spelling {
 public:
  explicit Spelling(std::string text) : text_(std::move(text)) {}
  ~Spelling() { crypto::wipe({reinterpret_cast<std::uint8_t*>(text_.data()), text_.size()}); }
  Spelling(const Spelling&) = delete;
  Spelling& operator=(const Spelling&) = delete;
  std::string_view text() const { return text_; }

 private:
  std::string text_;
};

// A file made before the key is, so that a key is never made that cannot be written down.
class KeyFile {
 public:
  // Nothing when `path` is empty.
  static Result<KeyFile> reserve(const std::string& path) {
    if (path.empty()) return KeyFile("", Fd());
    Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid() && errno == EEXIST)
      return Error{Code::kConflict,
                   path + " exists and a key never replaces a file; name another."};
    if (!fd.valid()) return io_error("create", path, errno);
    return KeyFile(path, std::move(fd));
  }
  KeyFile(KeyFile&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::move(other.fd_)), kept_(other.kept_) {
    other.kept_ = true;
  }
  ~KeyFile() {
    if (!kept_ && fd_.valid()) ::unlink(path_.c_str());
  }

  bool wanted() const { return fd_.valid(); }
  // The key in it opens nothing: it goes with this.
  void drop() { kept_ = false; }
  const std::string& path() const { return path_; }
  Result<void> write(std::string_view key) {
    kept_ = true;  // even half a key is a trace to keep, once the account has it
    TRY(write_all(fd_.get(), as_bytes(key), path_));
    TRY(write_all(fd_.get(), as_bytes("\n"), path_));
    if (::fsync(fd_.get()) != 0 && errno != EINVAL) return io_error("save", path_, errno);
    return sync_folder();
  }

 private:
  KeyFile(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<void> sync_folder() const {
    const std::size_t slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid() || (::fsync(fd.get()) != 0 && errno != EINVAL))
      return io_error("save", folder, errno);
    return {};
  }

  std::string path_;
  Fd fd_;
  bool kept_ = false;
};

// Shows the key once and asks for it back. `otherwise`: what is so when it does not come.
Result<int> show_key(const keys::RecoveryKey& key, std::string_view otherwise, Console& console) {
  const Spelling spelling(keys::spell_recovery_key(key));
  console.warn("\nYour recovery key, shown once. Write it down now:\n");
  console.warn("    " + std::string(spelling.text()) + "\n");
  console.warn(kKeepKey);
  for (int tries = 0; tries < kKeyTries; ++tries) {
    const crypto::WipedBytes typed = TRY(console.secret("Type it back: "));
    const Result<keys::RecoveryKey> read = keys::read_recovery_key(as_text(typed.view()));
    if (read.ok() && Spelling(keys::spell_recovery_key(*read)).text() == spelling.text()) {
      console.say("That is the key.");
      return kOk;
    }
    console.warn(read.ok() ? "That is another key." : read.error().message);
  }
  return Error{Code::kInvalid, "The key was not typed back, so it may not be written down right. " +
                                   std::string(otherwise)};
}

Result<int> hand_over(const keys::RecoveryKey& key, KeyFile& file, std::string_view otherwise,
                      Console& console) {
  if (!file.wanted()) return show_key(key, otherwise, console);
  const Spelling spelling(keys::spell_recovery_key(key));
  Result<void> written = file.write(spelling.text());
  if (!written.ok())
    return std::move(written).error().in("The recovery key could not be written. " +
                                         std::string(otherwise));
  console.say("The recovery key is in " + printable(file.path()) + ". " + std::string(kKeepKey));
  return kOk;
}

Result<keys::RecoveryKey> ask_recovery_key(const std::string& file, std::string_view prompt,
                                           Console& console) {
  const crypto::WipedBytes text =
      TRY(file.empty() ? console.secret(prompt) : read_secret_file(file));
  return keys::read_recovery_key(as_text(text.view()));
}

std::string name_of(const circle::Circle& circle, const ReaderId& id) {
  if (const circle::Device* device = circle.device(id)) return device->info.name;
  return "the recovery key";
}

void add_device(JsonObject& object, const circle::Device& device) {
  object.text("name", device.info.name)
      .text("id", device.id.hex())
      .integer("admitted_ms", device.admitted_ms);
}

void report_member(std::string_view event, const Common& common, const vault::Account& account,
                   Console& console) {
  JsonObject object(event);
  add_device(object, account.self());
  object.text("home", common.home).number("epoch", account.circle().epoch());
  console.event(object);
}

Result<std::string> only_account(api::Store& store) {
  const std::vector<std::string> accounts = TRY(store.accounts());
  if (accounts.size() == 1) return accounts.front();
  if (accounts.empty())
    return Error{Code::kNotFound, "The store holds no account yet; begin with holdfast init."};
  std::string names;
  for (const std::string& account : accounts) names += " " + account;
  return Error{Code::kInvalid,
               "The store holds several accounts:" + names + "; say which with --account NAME."};
}

constexpr std::string_view kNeedsAdvanced =
    "This store has no custodian, which could help you back in: say init --advanced. Then only "
    "your devices and your recovery key can read your data.";
constexpr std::string_view kAdvancedMeans =
    "What is backed up can be read by it and by the recovery key; the store gets no key.";
constexpr std::string_view kStandardMeans =
    "What is backed up can be read by it, by the recovery key and by the provider's custodian: the "
    "provider can help you if you lose every device, and can be ordered to hand your data over. To "
    "end that: holdfast protection advanced.";

}  // namespace

Result<int> run_init(const Common& common, const InitArgs& args, Console& console) {
  if (common.server.empty()) return console.usage(kNeedsServer);
  if (!args.advanced && common.server.starts_with("dir:")) return console.usage(kNeedsAdvanced);
  if (args.recovery_key_file.empty() && !console.can_ask())
    return console.usage(
        "The recovery key must be shown to somebody or written somewhere: run init on a terminal, "
        "or give --recovery-key-file F.");
  const std::string invitation = TRY(read_invitation(args.invitation_file));
  KeyFile file = TRY(KeyFile::reserve(args.recovery_key_file));
  const auto fresh = TRY(open_fresh(common, store::Create::kYes, invitation, console));
  vault::InitOptions options;
  options.account = args.account.empty() ? default_account() : args.account;
  options.device_name = args.device_name.empty() ? default_device_name() : args.device_name;
  options.region = args.region;
  options.level = args.advanced ? circle::Level::kAdvanced : circle::Level::kStandard;
  auto initialised = vault::init(fresh->home, *fresh->store, fresh->clock, options);
  if (!initialised.ok() && !args.advanced && initialised.error().code == Code::kNotFound)
    return Error{Code::kInvalid, std::string(kNeedsAdvanced)};
  const vault::Initialised made = TRY(std::move(initialised));
  console.say("Account " + printable(options.account) + " is made, with this device (" +
              printable(options.device_name) + ") as its first. " +
              std::string(args.advanced ? kAdvancedMeans : kStandardMeans));
  JsonObject object("account");
  object.text("account", options.account)
      .text("device", options.device_name)
      .text("device_id", made.account.self().id.hex())
      .text("region", options.region)
      .text("level", level_name(options.level))
      .path("recovery_key_file", args.recovery_key_file);
  if (!made.doubt.empty()) console.warn(made.doubt + ".");
  const auto& log = made.account.log_status();
  if (log && log->quorum == 0)
    console.warn(
        "Nobody outside witnesses this service's log. For this account that means: only the "
        "recovery key itself can replace the recovery key. Keep it well.");
  const int code =
      TRY(hand_over(made.recovery, file,
                    "The account stands; make another key with: holdfast recovery key", console));
  console.event(object);
  return code;
}

Result<int> run_join(const Common& common, const JoinArgs& args, Console& console) {
  if (common.server.empty()) return console.usage(kNeedsServer);
  const auto fresh = TRY(open_fresh(common, store::Create::kNo, "", console));
  const std::string account =
      args.account.empty() ? TRY(only_account(*fresh->store)) : args.account;
  const std::string name = args.device_name.empty() ? default_device_name() : args.device_name;
  vault::Join join =
      TRY(vault::Join::start(fresh->home, *fresh->store, fresh->clock, account, name));
  console.event(
      JsonObject("code").text("code", join.code()).text("account", account).text("device", name));
  console.print("The code: " + console.strong(join.code()));
  console.say(
      "On a device that is in the account already, type: holdfast devices approve\n"
      "and give it this code. Waiting, at most ten minutes ...");
  console.flush();
  const vault::Account admitted = TRY(join.wait());
  tell_contradiction(admitted, console);
  report_member("admitted", common, admitted, console);
  console.say("Admitted. This device, " + printable(name) + ", can now back up to account " +
              printable(account) + " and read all of it.");
  const auto& log = admitted.log_status();
  if (log && log->included <= admitted.self().admitted_seq)
    console.say(
        "It opens nothing until the service's log shows that it was admitted, so that nobody can "
        "be admitted unseen: ten minutes at most.");
  return kOk;
}

namespace {

// How old the state may be that the recovery key is about to act on. False: the person stops.
Result<bool> tell_how_old(const vault::Recovery::Shown& shown, Console& console) {
  JsonObject object("recovering");
  object.integer("newest_change_ms", shown.statement_ms).flag("witnessed", shown.witnessed());
  if (shown.record_ms) object.integer("newest_snapshot_ms", *shown.record_ms);
  if (shown.witnessed()) object.number("age_seconds", *shown.log->age_s);
  console.event(object);
  const std::string newest =
      (shown.record_ms ? "The newest snapshot in this store is of " + human_time(*shown.record_ms)
                       : std::string("This store holds no snapshot")) +
      ", the newest change among the account's devices of " + human_time(shown.statement_ms);
  if (shown.witnessed()) {
    console.say(newest + ". The service's log agrees; witnesses signed it " +
                human_duration(static_cast<double>(*shown.log->age_s)) +
                " ago, and what is newer than that may be missing.");
    return true;
  }
  // Nobody else vouches for how new this is; only the person can tell.
  console.say(newest + ". If you remember a later one, this is an old copy of the store, or one " +
              "that hides what is newer: " +
              (shown.log ? "nobody outside witnesses the service's log, and " : std::string()) +
              "the recovery key alone cannot tell.");
  if (!console.can_ask()) return true;
  return console.confirm("Is that the newest you know of? Go on");
}

}  // namespace

Result<int> run_recover(const Common& common, const RecoverArgs& args, Console& console) {
  if (common.server.empty()) return console.usage(kNeedsServer);
  const keys::RecoveryKey key =
      TRY(ask_recovery_key(args.recovery_key_file, "The recovery key: ", console));
  const auto fresh = TRY(open_fresh(common, store::Create::kNo, "", console));
  vault::Recovery recovery =
      TRY(vault::Recovery::find(fresh->home, *fresh->store, fresh->clock, key));
  const vault::Recovery::Shown shown = recovery.shown();
  if (!shown.foreign_custodian.empty()) console.warn(shown.foreign_custodian + ".");
  const bool go_on = TRY(tell_how_old(shown, console));
  if (!go_on) {
    console.warn("Nothing was changed.");
    return kFailed;
  }
  vault::RecoverOptions options;
  options.device_name = args.device_name.empty() ? default_device_name() : args.device_name;
  options.keep = args.keep;
  const vault::Account account = TRY(recovery.finish(options));
  tell_contradiction(account, console);
  report_member("recovered", common, account, console);
  console.say("You are back: this device, " + printable(options.device_name) +
              ", is in the account and reads all of it. A new epoch began; devices that were not "
              "kept are out and read nothing that is made from now on.");
  console.say(
      "The recovery key still works. If somebody else may have seen it, make another: "
      "holdfast recovery key");
  return kOk;
}

Result<int> run_devices_list(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console));
  const circle::Circle& circle = opened->account().circle();
  for (const circle::Device& device : circle.devices()) {
    const bool self = device.id == opened->account().self().id;
    JsonObject object("device");
    add_device(object, device);
    object.flag("this_device", self).text("state", device.removed_seq ? "removed" : "member");
    if (device.removed_seq) object.text("removed_by", name_of(circle, device.removed_by));
    console.event(object);
    std::string line = printable(device.info.name) + "  since " + human_time(device.admitted_ms);
    if (device.removed_seq) line += "  removed by " + printable(name_of(circle, device.removed_by));
    console.print(line + (self ? "  (this device)" : ""));
  }
  return kOk;
}

Result<int> run_devices_approve(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console));
  const crypto::WipedBytes code = TRY(console.secret("The code that the new device shows: "));
  const circle::Device device =
      TRY(opened->account().approve(as_text(code.view()), kApprovePatienceMs));
  JsonObject object("approved");
  add_device(object, device);
  console.event(object);
  console.say("Admitted " + printable(device.info.name) +
              ". It can read everything in the account, from the first snapshot on.");
  return kOk;
}

Result<int> run_devices_remove(const Common& common, const std::vector<std::string>& names,
                               Console& console) {
  const auto opened = TRY(open_account(common, console));
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  if (!TRY(console.confirm("Remove " + printable(list) +
                           " from the account? It keeps what it has already read, and reads "
                           "nothing that is made from now on."))) {
    console.warn("Nothing was changed.");
    return kFailed;
  }
  TRY(opened->account().remove_devices(names));
  const std::uint32_t epoch = opened->account().circle().epoch();
  console.event(JsonObject("removed").texts("names", names).number("epoch", epoch));
  console.say("Removed " + printable(list) + ". Epoch " + std::to_string(epoch) +
              " began: the next snapshot is closed to it. What it could read before, it may have "
              "kept.");
  return kOk;
}

namespace {

void print_vault_reader(std::string_view kind, const std::string& name, const ReaderId& id,
                        std::int64_t since_ms, Console& console) {
  console.event(JsonObject("reader")
                    .text("kind", kind)
                    .text("name", name)
                    .text("id", id.hex())
                    .integer("since_ms", since_ms)
                    .flag("this_device", false));
  console.print("  " + printable(name) + ", since " + human_time(since_ms) +
                ", of the vaults that are not always-e2e");
}

void print_vault_readers(const circle::Circle& circle, Console& console) {
  const circle::Custodian* const custodian = circle.custodian();
  if (custodian != nullptr)
    print_vault_reader("custodian", "the provider's custodian", custodian->id, custodian->since_ms,
                       console);
  for (const circle::Helped& one : circle.helped())
    if (!one.left_seq)
      print_vault_reader("helped", one.info.name + ", whom the provider took for you", one.id,
                         one.since_ms, console);
  console.print(custodian == nullptr
                    ? "Nobody else. The store cannot: it never held a key."
                    : "Nobody else. The store itself cannot; the custodian is another program of "
                      "the same provider, and can be ordered to. To end that: holdfast protection "
                      "advanced");
}

}  // namespace

Result<int> run_readers(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console));
  const circle::Circle& circle = opened->account().circle();
  console.print(console.strong("Who can read this account:"));
  for (const circle::Device* device : circle.members()) {
    const bool self = device->id == opened->account().self().id;
    JsonObject object("reader");
    object.text("kind", "device")
        .text("name", device->info.name)
        .text("id", device->id.hex())
        .integer("since_ms", device->admitted_ms)
        .flag("this_device", self);
    console.event(object);
    console.print("  " + printable(device->info.name) + ", a device, since " +
                  human_time(device->admitted_ms) + (self ? " (this device)" : ""));
  }
  if (circle.recovery()) {
    console.event(JsonObject("reader")
                      .text("kind", "recovery_key")
                      .text("name", "the recovery key")
                      .text("id", circle.recovery()->id.hex())
                      .integer("since_ms", circle.recovery()->set_ms)
                      .flag("this_device", false));
    console.print("  the recovery key, since " + human_time(circle.recovery()->set_ms));
  } else {
    console.print(
        "  No recovery key: if all devices are lost, so is the data. Make one: holdfast "
        "recovery key");
  }
  print_vault_readers(circle, console);
  console.print("Level " + std::string(level_name(circle.level())) + ", epoch " +
                std::to_string(circle.epoch()) + ", statement " + std::to_string(circle.seq()) +
                " of the circle. Times are as the devices' clocks said.");
  console.event(
      JsonObject("summary")
          .number("readers", circle.readers().size() + (circle.custodian() != nullptr ? 1 : 0))
          .text("level", level_name(circle.level()))
          .text("region", circle.region())
          .number("epoch", circle.epoch())
          .number("statement", circle.seq())
          .flag("store_can_read", false)
          .flag("provider_can_read", circle.custodian() != nullptr));
  return kOk;
}

namespace {

bool has_key(const circle::Circle& circle, const keys::RecoveryKey& key) {
  return circle.recovery() && circle.recovery()->info.locate == keys::locate_id(key);
}

// What vouches for a new key. None: none stands, none is asked for, or it is lost.
Result<std::optional<keys::RecoveryKey>> ask_old_key(const circle::Circle& circle,
                                                     const std::string& file, Console& console) {
  std::optional<keys::RecoveryKey> none;
  if (!circle.recovery()) return none;
  if (!file.empty())
    return std::optional<keys::RecoveryKey>(TRY(ask_recovery_key(file, "", console)));
  if (circle.has_log()) {
    if (!console.can_ask()) return none;
    const crypto::WipedBytes text = TRY(
        console.secret("The old recovery key (if it is lost, only Enter: the new one then waits "
                       "three days): "));
    if (text.view().empty()) return none;
    return std::optional<keys::RecoveryKey>(TRY(keys::read_recovery_key(as_text(text.view()))));
  }
  if (circle.members().size() == 1) return none;
  return std::optional<keys::RecoveryKey>(TRY(ask_recovery_key(
      "",
      "The old recovery key (one device alone may not replace it while others stand): ", console)));
}

// Where a log proves times and nobody vouches for the new key. It is handed over now, for nobody
// but the person keeps it until it counts.
Result<int> propose_recovery_key(vault::Account& account, const RecoveryKeyArgs& args,
                                 Console& console) {
  const auto& log = account.log_status();
  if (log && log->quorum == 0)
    return Error{Code::kInvalid,
                 "Nobody outside witnesses this service's log, so nothing can prove that three "
                 "days pass: here only the old recovery key can replace itself. Give it with "
                 "--old-recovery-key-file."};
  if (std::ranges::any_of(account.circle().proposals(),
                          [](const circle::Proposal& p) { return p.recovery() != nullptr; }))
    return Error{Code::kConflict,
                 "A new recovery key waits already: see holdfast recovery show. Complete it when "
                 "it is due, or cancel it first."};
  KeyFile file = TRY(KeyFile::reserve(args.recovery_key_file));
  const auto key = keys::RecoveryKey::random();
  console.say("This key will count once it has waited three days and is completed.");
  const auto handed =
      hand_over(key, file, "Nothing was changed: the key from before is good.", console);
  if (!handed.ok()) file.drop();
  const int code = TRY(handed);
  const std::uint64_t before = account.sends();
  const auto proposed = account.propose_recovery(key);
  if (!proposed.ok() && account.sends() != before)
    return Error(proposed.error()).in("The new key may wait or not: see holdfast recovery show");
  if (!proposed.ok()) file.drop();
  const std::uint64_t number = TRY(proposed);
  console.event(JsonObject("recovery_proposed")
                    .number("number", number)
                    .path("recovery_key_file", args.recovery_key_file));
  console.say(
      "The new recovery key waits, as number " + std::to_string(number) +
      ". It opens nothing yet; the one from before still stands. Three days after the service's "
      "log shows it (within ten minutes), any device completes it: holdfast recovery complete. "
      "Until then every device of this account is told at every command, and any of them takes it "
      "back: holdfast recovery cancel.");
  return code;
}

}  // namespace

Result<int> run_recovery_key(const Common& common, const RecoveryKeyArgs& args, Console& console) {
  if (args.recovery_key_file.empty() && !console.can_ask())
    return console.usage("Give --recovery-key-file F for the new key, or run this on a terminal.");
  const auto opened = TRY(open_account(common, console));
  const circle::Circle& circle = opened->account().circle();
  const std::optional<keys::RecoveryKey> old =
      TRY(ask_old_key(circle, args.old_recovery_key_file, console));
  if (circle.recovery() && circle.has_log() && !old)
    return propose_recovery_key(opened->account(), args, console);
  KeyFile file = TRY(KeyFile::reserve(args.recovery_key_file));
  // Handed over first: a key that the account has and nobody knows could never be replaced.
  const auto key = keys::RecoveryKey::random();
  const auto handed =
      hand_over(key, file, "Nothing was changed: the key from before is good.", console);
  if (!handed.ok()) file.drop();
  const int code = TRY(handed);
  const std::uint64_t before = opened->account().sends();
  // Once it was sent the store may have taken it, whatever it says: it is not thrown away then.
  const auto set = opened->account().set_recovery(key, old ? &*old : nullptr);
  if (!set.ok() && opened->account().sends() != before)
    return Error(set.error())
        .in(has_key(circle, key)
                ? "The new key is the account's: keep it"
                : "The new key may be the account's or not: keep the old one until you know");
  if (!set.ok()) file.drop();
  TRY(set);
  console.say(old ? "The old recovery key opens nothing any more."
                  : "The account has a new recovery key.");
  console.event(JsonObject("recovery_key")
                    .path("recovery_key_file", args.recovery_key_file)
                    .number("epoch", opened->account().circle().epoch()));
  return code;
}

Result<int> run_vault_list(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console));
  for (const circle::Vault& vault : opened->account().circle().vaults()) {
    console.event(JsonObject("vault")
                      .text("name", vault.name)
                      .text("id", vault.id.hex())
                      .flag("always_e2e", vault.always_e2e)
                      .number("first_epoch", vault.first_epoch));
    console.print(printable(vault.name) +
                  (vault.always_e2e ? "  always-e2e: never readable by a custodian" : ""));
  }
  return kOk;
}

Result<int> run_vault_create(const Common& common, const VaultCreateArgs& args, Console& console) {
  const auto opened = TRY(open_account(common, console));
  TRY(opened->account().create_vault(args.name, args.always_e2e));
  console.event(
      JsonObject("vault_created").text("name", args.name).flag("always_e2e", args.always_e2e));
  console.say("Vault " + printable(args.name) + " is made. Back up to it with --vault " +
              printable(args.name) + ".");
  return kOk;
}

Result<int> run_passphrase_change(const Common& common, const PassphraseArgs& args,
                                  Console& console) {
  vault::Home home = TRY(open_member_home(common, console));
  vault::Unlock unlock;
  if (!args.new_unattended)
    unlock = TRY(ask_unlock(args.new_passphrase_file, Wanted::kNew, console));
  TRY(home.change_unlock(unlock));
  console.event(JsonObject("passphrase_changed").flag("unattended", args.new_unattended));
  console.say(args.new_unattended
                  ? "This device now opens itself by a key file beside its state: who can read "
                    "that file as you, or as root, can use the device."
                  : "This device's passphrase is changed. The recovery key and the other devices "
                    "are as they were.");
  return kOk;
}

}  // namespace holdfast::app

// The public log: what it shows of this account, and the whole of it for anyone.
#include "base/file.h"
#include "commands.h"
#include "crypto/hash.h"
#include "opening.h"
#include "vault/log_audit.h"

namespace holdfast::app {
namespace {

constexpr std::size_t kMaxProgram = std::size_t{1024} * 1024 * 1024;
constexpr std::size_t kMaxFile = 128 * 1024 * 1024;

// S8, by hand: there is no updater that would ask.
Result<std::string> logged_as(const vault::LogAudit& audit, const std::string& file) {
  const Bytes bytes = TRY(read_file(file, kMaxProgram));
  const tlog::SoftwareRelease* const release = vault::find_release(audit, crypto::sha256(bytes));
  if (release == nullptr)
    return Error{Code::kUnsafe, "The log has no release of software with " + printable(file) +
                                    ": it may be made for you alone. Do not run it."};
  return release->version + " for " + release->platform;
}

int report(const vault::LogAudit& audit, const std::string& release, Console& console) {
  JsonObject object("log_verified");
  object.text("name", audit.name)
      .number("entries", audit.entries)
      .number("epochs", audit.epochs)
      .number("map_entries", audit.map_entries)
      .number("policies", audit.policies)
      .number("releases", audit.releases)
      .number("receipts", audit.receipts)
      .number("custody_keys", audit.custody_keys)
      .number("trust_changes", audit.trust_changes)
      .number("lawful_heads", audit.lawful_heads)
      .number("lawful_reports", audit.lawful_reports)
      .number("software", audit.software.size())
      .number("witnesses", audit.witnesses)
      .number("quorum", audit.quorum);
  if (!release.empty()) object.text("release", release);
  console.event(object);
  if (!release.empty()) console.print("The file is of version " + printable(release) + ".");
  console.print("The log " + printable(audit.name) + " is whole: " + std::to_string(audit.entries) +
                " entries, " + std::to_string(audit.epochs) +
                " generations of a map that only grew, to " + std::to_string(audit.map_entries) +
                " entries.");
  if (audit.quorum == 0) {
    console.print("Nobody outside watches it: it may show others another history.");
  } else {
    console.print(std::to_string(audit.witnesses) + " witnesses signed it; " +
                  std::to_string(audit.quorum) + " are needed. It was the newest on " +
                  human_time(static_cast<TimeMs>(audit.time->current_at) * 1000) + ".");
  }
  return kOk;
}

Result<tlog::LogRoots> read_roots(const std::string& file) {
  const Bytes bytes = TRY(read_file(file, kMaxFile));
  return wire::decode<tlog::LogRoots>(bytes);
}

// Anyone can make a log and evidence against it: whose log it is decides.
Result<int> verify_evidence(const std::string& file, const std::string& roots_file,
                            Console& console) {
  const Bytes bytes = TRY(read_file(file, kMaxFile));
  const auto items = TRY(wire::decode<std::vector<Bytes>>(bytes));
  if (items.size() != 1) return Error{Code::kInvalid, file + " is no evidence against a log"};
  const auto evidence = TRY(wire::decode<vault::Evidence>(items[0]));
  if (roots_file.empty()) {
    console.warn("The file itself says whose log it is against; --roots FILE compares with yours.");
  } else {
    const tlog::LogRoots known = TRY(read_roots(roots_file));
    if (wire::encode(known) != wire::encode(evidence.roots))
      return Error{Code::kInvalid, file + " is against another log, or other witnesses, than " +
                                       roots_file + " names: it proves nothing of yours"};
  }
  const std::string sentence = TRY(vault::verify_evidence(evidence));
  console.event(JsonObject("evidence").text("proves", sentence));
  console.print(sentence);
  return kOk;
}

// What the custodian gave out, and what it has not told yet.
void tell_releases(const vault::LogStatus& status, const circle::Circle& circle, Console& console) {
  for (const vault::Released& one : status.released) {
    const circle::Vault* const vault = circle.vault(one.what.vault);
    JsonObject object("release");
    object.number("batch", one.batch)
        .text("vault", vault != nullptr ? vault->name : one.what.vault.hex())
        .number("epoch", one.what.epoch)
        .text("recipient", one.what.recipient.hex())
        .text("instrument", one.what.instrument.hex());
    console.event(object);
    console.print("Release batch " + std::to_string(one.batch) + " gave the key of vault \"" +
                  printable(vault != nullptr ? vault->name : one.what.vault.hex()) + "\", epoch " +
                  std::to_string(one.what.epoch) + ", to " +
                  one.what.recipient.hex().substr(0, 16) + " under the demand " +
                  one.what.instrument.hex().substr(0, 16) + ".");
  }
  if (status.closed > 0)
    console.print(std::to_string(status.closed) + " of " + std::to_string(status.batches) +
                  " release batches are not yet opened to you; their day has not come.");
}

void tell_coming(const vault::LogStatus& status, Console& console) {
  for (const vault::PolicyStatus& policy : status.policies) {
    const auto from = static_cast<TimeMs>(policy.in_effect_from_s) * 1000;
    console.event(JsonObject("policy")
                      .number("version", policy.version)
                      .flag("in_effect", policy.in_effect)
                      .number("from_seconds", policy.in_effect_from_s));
    console.print("Policy, version " + std::to_string(policy.version) +
                  (policy.in_effect ? ": in effect since " : ": will be in effect from ") +
                  human_time(from) + ".");
  }
  if (status.trust_change_s)
    console.print("From " + human_time(static_cast<TimeMs>(*status.trust_change_s) * 1000) +
                  " on, others watch the log: its witnesses said so.");
}

// What this device found, and how the person judged it.
Result<void> tell_judged(vault::Account& account, Console& console) {
  for (const vault::Contradiction& one : TRY(account.contradictions())) {
    if (one.judged_ms == 0) continue;
    const std::string sentence = printable(as_text(one.sentence));
    const std::string reason = printable(as_text(one.reason));
    console.event(JsonObject("contradiction_judged")
                      .text("sentence", sentence)
                      .integer("found_ms", one.found_ms)
                      .integer("judged_ms", one.judged_ms)
                      .text("reason", reason));
    console.print("On " + human_time(one.found_ms) + " the log contradicted itself: " + sentence +
                  ". You went on, on " + human_time(one.judged_ms) + ": " + reason);
  }
  return Ok{};
}

}  // namespace

Result<int> run_log(const Common& common, Console& console) {
  const auto opened = TRY(open_account(common, console));
  TRY(tell_judged(opened->account(), console));
  if (opened->account().contradiction()) {
    console.print("The log is not asked until you have judged what contradicts.");
    return kRefused;
  }
  if (!opened->account().log_withheld().empty()) {
    console.print("What it shows now cannot be checked.");
    return kFailed;
  }
  const auto& status = opened->account().log_status();
  if (!status) {
    console.print("This account has no log: its store is a folder, or is older than the log.");
    return kOk;
  }
  JsonObject object("log");
  object.text("name", status->name)
      .number("size", status->size)
      .number("epoch", status->epoch)
      .number("audited", status->audited)
      .number("witnesses", status->witnesses)
      .number("quorum", status->quorum)
      .flag("circle", status->circle_included)
      .flag("data", status->data_included)
      .number("batches", status->batches)
      .number("closed", status->closed)
      .number("released", status->released.size())
      .number("bytes", status->bytes);
  if (status->age_s) object.number("age_seconds", *status->age_s);
  console.event(object);
  console.print("Log " + printable(status->name) + ", " + std::to_string(status->size) +
                " entries; read " + human_bytes(status->bytes) + " for this check.");
  if (status->quorum == 0) {
    console.print("Nobody outside watches it. Fork protection: your own devices only.");
  } else {
    console.print(std::to_string(status->witnesses) + " of the " + std::to_string(status->quorum) +
                  " witnesses needed signed it, " +
                  human_duration(static_cast<double>(*status->age_s)) + " ago.");
  }
  console.print(status->audited == status->epoch
                    ? "Its map was replayed by an auditor."
                    : "Its map was replayed by nobody since generation " +
                          std::to_string(status->audited) + " of " + std::to_string(status->epoch) +
                          ".");
  tell_releases(*status, opened->account().circle(), console);
  tell_coming(*status, console);
  console.print(status->circle_included && status->data_included
                    ? "All that this device knows of the account is in it."
                    : "What was added last is not in it yet; it is promised within ten minutes.");
  return kOk;
}

namespace {

// What a store that was put back from an older copy says, or one that has the account no more.
bool may_be_older(const Error& error) {
  return error.code == Code::kUnsafe || error.code == Code::kNotFound ||
         error.code == Code::kDenied;
}

// Where the account does not open, `holdfast account resend` would help and waits for this
// judgement. So it is taken without asking the log; and as nothing that this device knows of it is
// forgotten, whatever contradicts that is found again once the account opens.
Result<int> accept_unopened(Opened& opened, const Error& why, const LogAcceptArgs& args,
                            Console& console) {
  if (!may_be_older(why)) return why;
  const auto standing = TRY(vault::standing_contradiction(opened.home));
  if (!standing) return why;
  console.warn(why.message + ".");
  if (!TRY(console.confirm("The log cannot be asked before that is mended. On " +
                           human_time(standing->found_ms) +
                           " it contradicted itself: " + printable(as_text(standing->sentence)) +
                           ". Go on all the same? This device forgets nothing, and looks again "
                           "once the account opens."))) {
    console.warn("Nothing was changed.");
    return kFailed;
  }
  TRY(vault::judge_contradiction(opened.home, args.reason, opened.clock.now()));
  console.event(JsonObject("contradiction_accepted").text("reason", args.reason));
  console.say("Noted. Now the account itself: see above.");
  return kOk;
}

}  // namespace

Result<int> run_log_accept(const Common& common, const LogAcceptArgs& args, Console& console) {
  if (args.reason.empty())
    return Error{Code::kInvalid, "Say why: what did the operator or another device tell you?"};
  const auto opened = TRY(open_member(common, "", console));
  auto account = vault::Account::open(opened->home, *opened->store, opened->clock);
  if (!account.ok()) return accept_unopened(*opened, account.error(), args, console);
  opened->opened.emplace(std::move(account).value());
  TRY(tell_opened(*opened, console, Tell::kAll));
  if (!opened->account().contradiction())
    return Error{Code::kNotFound, "Nothing contradicts: there is nothing to accept."};
  if (!TRY(console.confirm("Believe the service's log again? Where it still cannot be true, this "
                           "device forgets what it knew of it and begins anew. What it knows of "
                           "your account stays, and so does the evidence."))) {
    console.warn("Nothing was changed.");
    return kFailed;
  }
  TRY(opened->account().accept_contradiction(args.reason));
  console.event(JsonObject("contradiction_accepted").text("reason", args.reason));
  console.say("Noted. Backups and approvals go on; holdfast log shows what you accepted.");
  return kOk;
}

Result<int> run_log_verify(const Common& common, const LogVerifyArgs& args, Console& console) {
  if (!args.evidence.empty()) return verify_evidence(args.evidence, args.roots_file, console);
  std::unique_ptr<api::Store> store;
  if (args.folder.empty()) store = TRY(open_stranger(common, console));
  const vault::ReadLogFile read = [&](const std::string& path) -> Result<Bytes> {
    if (store != nullptr) return store->get_log(path);
    return read_file(args.folder + "/" + path, kMaxFile);
  };
  const Bytes roots =
      TRY(args.roots_file.empty() ? read("roots") : read_file(args.roots_file, kMaxFile));
  if (args.roots_file.empty())
    console.warn("The log's own word is taken for who watches it; --roots FILE takes yours.");
  const auto trusted = TRY(wire::decode<tlog::LogRoots>(roots));
  const vault::LogAudit audit = TRY(vault::verify_log(read, trusted));
  std::string release;
  if (!args.release.empty()) release = TRY(logged_as(audit, args.release));
  return report(audit, release, console);
}

}  // namespace holdfast::app

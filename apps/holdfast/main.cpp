// The command line: from argv to plain values, and to the command.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <clocale>
#include <csignal>
#include <functional>

#include "commands.h"
#include "crypto/key.h"
#include "opening.h"

namespace holdfast::app {
namespace {

using Command = std::function<Result<int>(const Common&, Console&)>;

// CLI11 fills these; `chosen` is the command that was typed.
struct Line {
  CLI::App app{"Holdfast: backups that only trusted devices can read.", "holdfast"};
  Common common;
  InitArgs init;
  JoinArgs join;
  ResendArgs resend;
  LogVerifyArgs log_verify;
  LogAcceptArgs log_accept;
  HelpRequestArgs help_request;
  RecoverArgs recover;
  RecoveryKeyArgs recovery_key;
  WaitingArgs waiting;
  ProtectionStandardArgs protection_standard;
  UndoArgs undo;
  ForgetArgs forget;
  PruneArgs prune;
  std::string repair_vault = "main";
  ResealArgs reseal;
  VaultCreateArgs vault_create;
  PassphraseArgs passphrase;
  BackupArgs backup;
  LsArgs ls;
  CatArgs cat;
  DiffArgs diff;
  FindArgs find;
  RestoreArgs restore;
  CheckArgs check;
  std::string read_data;
  std::vector<std::string> remove_names;
  std::string region;
  std::string snapshots_vault = "main";
  Command chosen;
};

// One value each time the option is given, so that the word after it stays a PATH.
CLI::Option* add_repeated(CLI::App* app, const std::string& name, std::vector<std::string>& values,
                          const std::string& help) {
  return app->add_option(name, values, help)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::App* add_command(Line& line, CLI::App& parent, const std::string& name,
                      const std::string& help, Command command) {
  CLI::App* app = parent.add_subcommand(name, help);
  app->final_callback([&line, command = std::move(command)] {
    if (!line.chosen) line.chosen = command;
  });
  return app;
}

void add_common(Line& line) {
  CLI::App& app = line.app;
  Common& common = line.common;
  app.set_version_flag("--version", "holdfast " HOLDFAST_VERSION);
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--home", common.home,
                 "This device's state (HOLDFAST_HOME; default ~/.local/state/holdfast)");
  app.add_option("--server", common.server,
                 "The store: https://HOST:PORT, a service; or dir:PATH, a folder");
  app.add_option("--server-fingerprint", common.server_fingerprint,
                 "The service's key as its operator publishes it; without it you are asked");
  app.add_flag("--json", common.json, "Print one JSON object a line");
  app.add_flag("--quiet,-q", common.quiet, "Print results and problems only");
  app.add_flag("--yes,-y", common.yes, "Confirm without asking");
  CLI::Option* file = app.add_option("--passphrase-file", common.passphrase_file,
                                     "Read this device's passphrase from a file (- : standard "
                                     "input)");
  app.add_flag("--unattended", common.unattended,
               "Open this device by a key file, not a passphrase")
      ->excludes(file);
}

void add_init_join_recover(Line& line) {
  CLI::App* init =
      add_command(line, line.app, "init", "Make an account with this device as its first",
                  [&line](const Common& common, Console& console) {
                    return run_init(common, line.init, console);
                  });
  init->add_flag("--advanced", line.init.advanced,
                 "Only your devices and the recovery key can read");
  init->add_option("--account", line.init.account, "Its name (default: your login name)");
  init->add_option("--device-name", line.init.device_name,
                   "This device's name (default: the host's)");
  init->add_option("--region", line.init.region, "The region you live in, two letters");
  init->add_option("--invitation-file", line.init.invitation_file,
                   "Where the service asks for an invitation (- : standard input)");
  init->add_option("--recovery-key-file", line.init.recovery_key_file,
                   "Write the recovery key here (0600) and do not show it");

  CLI::App* join =
      add_command(line, line.app, "join", "Ask to be admitted to an account; shows a code",
                  [&line](const Common& common, Console& console) {
                    return run_join(common, line.join, console);
                  });
  join->add_option("--account", line.join.account, "Its name (default: the only one in the store)");
  join->add_option("--device-name", line.join.device_name,
                   "This device's name (default: the host's)");

  CLI::App* help =
      add_command(line, line.app, "help-request", "Every device is lost: ask the provider for help",
                  [&line](const Common& common, Console& console) {
                    return run_help_request(common, line.help_request, console);
                  });
  help->add_option("--account", line.help_request.account, "Its name (default: your login name)");
  help->add_option("--device-name", line.help_request.device_name,
                   "This device's name (default: the host's)");
  help->add_flag("--wait", line.help_request.wait, "Until help was given");

  CLI::App* recover =
      add_command(line, line.app, "recover", "Come back with nothing but the recovery key",
                  [&line](const Common& common, Console& console) {
                    return run_recover(common, line.recover, console);
                  });
  recover->add_option("--device-name", line.recover.device_name,
                      "This device's name (default: the host's)");
  recover->add_option("--recovery-key-file", line.recover.recovery_key_file,
                      "Read the recovery key from here (- : standard input)");
  add_repeated(recover, "--keep", line.recover.keep, "A device that stays a member; all others go");
}

void add_who(Line& line) {
  CLI::App* devices = add_command(
      line, line.app, "devices", "List, admit and remove devices",
      [](const Common& common, Console& console) { return run_devices_list(common, console); });
  devices->require_subcommand(0, 1);
  add_command(
      line, *devices, "list", "All devices, also removed ones",
      [](const Common& common, Console& console) { return run_devices_list(common, console); });
  add_command(
      line, *devices, "approve", "Admit the device that shows a code",
      [](const Common& common, Console& console) { return run_devices_approve(common, console); });
  CLI::App* remove = add_command(line, *devices, "remove", "Take devices out; a new epoch begins",
                                 [&line](const Common& common, Console& console) {
                                   return run_devices_remove(common, line.remove_names, console);
                                 });
  remove->add_option("NAME", line.remove_names, "Devices by name")->required();

  add_command(line, line.app, "readers", "Who can read this account, and since when",
              [](const Common& common, Console& console) { return run_readers(common, console); });

  CLI::App* recovery = line.app.add_subcommand("recovery", "The recovery key");
  recovery->require_subcommand(1);
  CLI::App* key = add_command(line, *recovery, "key", "Make a new recovery key",
                              [&line](const Common& common, Console& console) {
                                return run_recovery_key(common, line.recovery_key, console);
                              });
  key->add_option("--recovery-key-file", line.recovery_key.recovery_key_file,
                  "Write the new key here (0600)");
  key->add_option("--old-recovery-key-file", line.recovery_key.old_recovery_key_file,
                  "Read the old key from here (- : standard input)");
  add_command(
      line, *recovery, "show", "The recovery key, and new ones that wait",
      [](const Common& common, Console& console) { return run_recovery_show(common, console); });
  CLI::App* complete = add_command(line, *recovery, "complete",
                                   "Let a new key that waited three days replace the old one",
                                   [&line](const Common& common, Console& console) {
                                     return run_recovery_complete(common, line.waiting, console);
                                   });
  CLI::App* cancel =
      add_command(line, *recovery, "cancel", "Take back new keys that wait, whoever proposed them",
                  [&line](const Common& common, Console& console) {
                    return run_recovery_cancel(common, line.waiting, console);
                  });
  for (CLI::App* const one : {complete, cancel})
    one->add_option("NUMBER", line.waiting.number, "Which, as show lists them");

  CLI::App* passphrase = line.app.add_subcommand("passphrase", "This device's passphrase");
  passphrase->require_subcommand(1);
  CLI::App* change = add_command(line, *passphrase, "change", "Seal this device's secret anew",
                                 [&line](const Common& common, Console& console) {
                                   return run_passphrase_change(common, line.passphrase, console);
                                 });
  CLI::Option* file =
      change->add_option("--new-passphrase-file", line.passphrase.new_passphrase_file,
                         "Read the new passphrase from here");
  change->add_flag("--new-unattended", line.passphrase.new_unattended, "By a key file from now on")
      ->excludes(file);
}

void add_vaults_and_region(Line& line) {
  CLI::App* vault = add_command(
      line, line.app, "vault", "List and make vaults",
      [](const Common& common, Console& console) { return run_vault_list(common, console); });
  vault->require_subcommand(0, 1);
  add_command(line, *vault, "list", "All vaults", [](const Common& common, Console& console) {
    return run_vault_list(common, console);
  });
  CLI::App* create = add_command(line, *vault, "create", "Make a vault",
                                 [&line](const Common& common, Console& console) {
                                   return run_vault_create(common, line.vault_create, console);
                                 });
  create->add_option("NAME", line.vault_create.name, "Its name")->required();
  create->add_flag("--always-e2e", line.vault_create.always_e2e, "Never readable by a custodian");

  CLI::App* region = add_command(
      line, line.app, "region", "The account's region",
      [](const Common& common, Console& console) { return run_region_show(common, console); });
  region->require_subcommand(0, 1);
  add_command(
      line, *region, "show", "Where the account says it is, and what holds there",
      [](const Common& common, Console& console) { return run_region_show(common, console); });
  CLI::App* set = add_command(line, *region, "set", "Say where you live",
                              [&line](const Common& common, Console& console) {
                                return run_region_set(common, line.region, console);
                              });
  set->add_option("REGION", line.region, "Two letters; ZZ: not stated")->required();
}

void add_reseal(Line& line, CLI::App& protection) {
  CLI::App* reseal =
      add_command(line, protection, "reseal",
                  "Seal again what somebody who went could still open with a key copied before",
                  [&line](const Common& common, Console& console) {
                    return run_reseal(common, line.reseal, console);
                  });
  reseal->add_option("--vault", line.reseal.vault, "Of which vault");
  reseal->add_option("--limit-upload", line.reseal.limit_upload,
                     "At most so much a second: bytes, or 500K, 2M, 1G (of 1024)");
}

void add_protection(Line& line) {
  CLI::App* protection = add_command(
      line, line.app, "protection", "Who can read besides your devices",
      [](const Common& common, Console& console) { return run_protection_show(common, console); });
  protection->require_subcommand(0, 1);
  add_command(
      line, *protection, "show", "The level, and what became of the provider's keys",
      [](const Common& common, Console& console) { return run_protection_show(common, console); });
  add_command(line, *protection, "advanced", "Only your devices and the recovery key can read",
              [](const Common& common, Console& console) {
                return run_protection_advanced(common, console);
              });
  CLI::App* standard =
      add_command(line, *protection, "standard", "The provider's custodian can read, too",
                  [&line](const Common& common, Console& console) {
                    return run_protection_standard(common, line.protection_standard, console);
                  });
  standard->add_option("--recovery-key-file", line.protection_standard.recovery_key_file,
                       "At once: the recovery key vouches (- : standard input)");
  CLI::App* complete = add_command(line, *protection, "complete",
                                   "Let the standard level, which waited three days, begin",
                                   [&line](const Common& common, Console& console) {
                                     return run_protection_complete(common, line.waiting, console);
                                   });
  CLI::App* cancel =
      add_command(line, *protection, "cancel", "Take back what waits, whoever proposed it",
                  [&line](const Common& common, Console& console) {
                    return run_protection_cancel(common, line.waiting, console);
                  });
  for (CLI::App* const one : {complete, cancel})
    one->add_option("NUMBER", line.waiting.number, "Which, as show lists them");
  add_reseal(line, *protection);
}

void add_policy(Line& line) {
  CLI::App* policy = add_command(
      line, line.app, "policy", "What the service offers in this account's region",
      [](const Common& common, Console& console) { return run_policy_show(common, console); });
  policy->require_subcommand(0, 1);
  add_command(
      line, *policy, "show", "What holds now, and from when on something else",
      [](const Common& common, Console& console) { return run_policy_show(common, console); });
  add_command(line, *policy, "acknowledge", "You have read it; every device stops telling",
              [](const Common& common, Console& console) {
                return run_policy_acknowledge(common, console);
              });
}

void add_account(Line& line) {
  CLI::App* account = add_command(
      line, line.app, "account", "What the service keeps, and its end",
      [](const Common& common, Console& console) { return run_account_show(common, console); });
  account->require_subcommand(0, 1);
  add_command(
      line, *account, "show", "How much is stored, and how much may be",
      [](const Common& common, Console& console) { return run_account_show(common, console); });
  add_command(line, *account, "connections", "Who came, from where, when",
              [](const Common& common, Console& console) {
                return run_account_connections(common, console);
              });
  add_command(
      line, *account, "delete", "Delete all of it, after a delay",
      [](const Common& common, Console& console) { return run_account_delete(common, console); });
  add_command(
      line, *account, "keep", "Take a deletion back",
      [](const Common& common, Console& console) { return run_account_keep(common, console); });
  CLI::App* resend =
      add_command(line, *account, "resend",
                  "Give the service what it lost, after it was put back from a backup",
                  [&line](const Common& common, Console& console) {
                    return run_account_resend(common, line.resend, console);
                  });
  resend->add_option("--invitation-file", line.resend.invitation_file,
                     "Where even the account is gone, and the service asks for an invitation");
}

void add_log(Line& line) {
  CLI::App* log =
      add_command(line, line.app, "log", "What the service's public log shows of this account",
                  [](const Common& common, Console& console) { return run_log(common, console); });
  log->require_subcommand(0, 1);
  CLI::App* accept =
      add_command(line, *log, "accept", "Go on after the log contradicted itself, as you judged",
                  [&line](const Common& common, Console& console) {
                    return run_log_accept(common, line.log_accept, console);
                  });
  accept->add_option("--reason", line.log_accept.reason, "Why, for whoever asks later")->required();
  CLI::App* verify = add_command(line, *log, "verify", "Check a whole log; takes no account",
                                 [&line](const Common& common, Console& console) {
                                   return run_log_verify(common, line.log_verify, console);
                                 });
  CLI::Option* folder =
      verify->add_option("--folder", line.log_verify.folder, "A copy of the log's files");
  verify->add_option("--roots", line.log_verify.roots_file,
                     "Whom to believe (default: what the log itself says)");
  verify->add_option("--evidence", line.log_verify.evidence, "What a device saved against a log")
      ->excludes(folder);
  verify->add_option("--release", line.log_verify.release,
                     "Whether the log has the software that this file is of");
}

void add_backup(Line& line) {
  BackupArgs& args = line.backup;
  CLI::App* app = add_command(line, line.app, "backup", "Save directory trees as a snapshot",
                              [&line](const Common& common, Console& console) {
                                return run_backup(common, line.backup, console);
                              });
  app->add_option("PATH", args.paths, "What to save")->required();
  app->add_option("--vault", args.vault, "Into which vault");
  add_repeated(app, "--exclude", args.exclude, "Leave out what matches this glob");
  add_repeated(app, "--exclude-from", args.exclude_from, "Leave out the globs in this file");
  app->add_flag("--exclude-caches", args.exclude_caches,
                "Leave out directories with a CACHEDIR.TAG");
  app->add_flag("--one-file-system,-x", args.one_file_system,
                "Stay on the file systems of the PATHs");
  app->add_flag("--nodump", args.nodump, "Leave out files with the nodump attribute");
  app->add_option("--limit-upload", args.limit_upload,
                  "Send at most so much a second: bytes, or 500K, 2M, 1G (of 1024)");
  app->add_option("--nice", args.nice, "Let other programs go first, 1 to 19")
      ->check(CLI::Range(1, 19));
  add_repeated(app, "--tag", args.tags, "A word of yours for the snapshot");
  app->add_flag("--dry-run,-n", args.dry_run, "Only read and count");
}

void add_reading(Line& line) {
  CLI::App* snapshots = add_command(line, line.app, "snapshots", "List snapshots",
                                    [&line](const Common& common, Console& console) {
                                      return run_snapshots(common, line.snapshots_vault, console);
                                    });
  snapshots->add_option("--vault", line.snapshots_vault, "Of which vault");

  CLI::App* ls = add_command(
      line, line.app, "ls", "List what a snapshot holds",
      [&line](const Common& common, Console& console) { return run_ls(common, line.ls, console); });
  ls->add_option("SNAP", line.ls.where, "SNAP[:/PATH]; SNAP is an id prefix, latest, or a time")
      ->required();
  ls->add_option("--depth", line.ls.depth, "Levels below PATH (default: all)");
  ls->add_option("--vault", line.ls.vault, "Of which vault");

  CLI::App* cat =
      add_command(line, line.app, "cat", "Write a file from a snapshot to standard output",
                  [&line](const Common& common, Console& console) {
                    return run_cat(common, line.cat, console);
                  });
  cat->add_option("FILE", line.cat.where, "SNAP:/FILE")->required();
  cat->add_option("--vault", line.cat.vault, "Of which vault");

  CLI::App* diff = add_command(line, line.app, "diff", "What differs between two snapshots",
                               [&line](const Common& common, Console& console) {
                                 return run_diff(common, line.diff, console);
                               });
  diff->add_option("A", line.diff.from, "The earlier snapshot")->required();
  diff->add_option("B", line.diff.to, "The later snapshot")->required();
  diff->add_option("--vault", line.diff.vault, "Of which vault");

  CLI::App* find = add_command(line, line.app, "find", "Find paths in all snapshots",
                               [&line](const Common& common, Console& console) {
                                 return run_find(common, line.find, console);
                               });
  find->add_option("GLOB", line.find.glob, "A name, or a path with /")
      ->required()
      ->allow_extra_args(false);
  find->add_option("--vault", line.find.vault, "In which vault");
}

void add_keeping(Line& line) {
  ForgetArgs& args = line.forget;
  CLI::App* forget = add_command(line, line.app, "forget",
                                 "Show snapshots no more that have outgrown what you keep",
                                 [&line](const Common& common, Console& console) {
                                   return run_forget(common, line.forget, console);
                                 });
  forget->add_option("SNAP", args.which, "These, by the beginning of their ids");
  forget->add_option("--keep-last", args.keep.last, "The newest so many");
  forget->add_option("--keep-hourly", args.keep.hourly, "The newest of so many hours");
  forget->add_option("--keep-daily", args.keep.daily, "The newest of so many days");
  forget->add_option("--keep-weekly", args.keep.weekly, "The newest of so many weeks");
  forget->add_option("--keep-monthly", args.keep.monthly, "The newest of so many months");
  forget->add_option("--keep-yearly", args.keep.yearly, "The newest of so many years");
  add_repeated(forget, "--tag", args.tags, "Rules: only among snapshots with this tag");
  forget->add_flag("--dry-run,-n", args.dry_run, "Only say which would go");
  forget->add_option("--vault", args.vault, "Of which vault");

  CLI::App* prune = add_command(line, line.app, "prune",
                                "Let the store delete what no snapshot needs, after a delay",
                                [&line](const Common& common, Console& console) {
                                  return run_prune(common, line.prune, console);
                                });
  prune->add_flag("--dry-run,-n", line.prune.dry_run, "Only say how much it is");
  prune->add_option("--vault", line.prune.vault, "Of which vault");
  prune
      ->add_option("--max-waste", line.prune.max_waste,
                   "Of a pack with more garbage, in percent, the rest moves to a new one (50)")
      ->check(CLI::Range(0, 100));

  CLI::App* repair =
      add_command(line, line.app, "repair", "Go on without what is damaged; save what is whole",
                  [&line](const Common& common, Console& console) {
                    return run_repair(common, line.repair_vault, console);
                  });
  repair->add_option("--vault", line.repair_vault, "Which vault");
}

void add_restore_and_check(Line& line) {
  RestoreArgs& args = line.restore;
  CLI::App* restore = add_command(line, line.app, "restore", "Write files from a snapshot",
                                  [&line](const Common& common, Console& console) {
                                    return run_restore(common, line.restore, console);
                                  });
  restore
      ->add_option("SNAP", args.where,
                   "SNAP[:/PATH]; the contents of PATH go straight into the target")
      ->required();
  restore->add_option("--target", args.target, "The directory to write below; made if absent")
      ->required();
  add_repeated(restore, "--include", args.include, "Only what matches this glob");
  restore->add_option("--overwrite", args.overwrite, "never (default), older or always")
      ->check(CLI::IsMember({"never", "older", "always"}));
  restore->add_flag("--dry-run,-n", args.dry_run, "Only say what would be written");
  restore->add_flag("--numeric-ids", args.numeric_ids, "Owners by number, not by name");
  restore->add_option("--vault", args.vault, "Of which vault");

  CLI::App* undo = add_command(
      line, line.app, "undo", "Bring back what a device forgot or dropped; lists it without NUMBER",
      [&line](const Common& common, Console& console) {
        return run_undo(common, line.undo, console);
      });
  undo->add_option("NUMBER", line.undo.number, "From this record on, as the list shows it");
  undo->add_option("--vault", line.undo.vault, "Of which vault (default: list all, undo in main)");

  CLI::App* check = add_command(line, line.app, "check", "Prove that a restore would work",
                                [&line](const Common& common, Console& console) {
                                  return run_check(common, line.check, console);
                                });
  check->add_option("--read-data", line.read_data, "Read all contents, or a share: --read-data=5%")
      ->expected(0, 1)
      ->default_str("100%");
  check->add_option("--vault", line.check.vault, "Which vault");
}

// "5%" or "5", 1 to 100; nullopt for anything else.
std::optional<unsigned> percent(std::string text) {
  if (text.ends_with('%')) text.pop_back();
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > 100)
    return std::nullopt;
  return value;
}

// The words in CLI11's order, last first. It takes a PATH like "[x]" for a list; "./[x]" it leaves
// alone, and that is the same file.
std::vector<std::string> words(int argc, char** argv) {
  std::vector<std::string> out;
  bool backup = false;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    const bool value =
        !out.empty() && (out.back() == "--exclude" || out.back() == "--exclude-from");
    if (backup && !value && word.starts_with('[') && word.ends_with(']')) word.insert(0, "./");
    backup = backup || word == "backup";
    out.push_back(std::move(word));
  }
  std::ranges::reverse(out);
  return out;
}

bool wants_json(int argc, char** argv) {
  return std::any_of(argv, argv + argc,
                     [](const char* word) { return std::string_view(word) == "--json"; });
}

int run(int argc, char** argv) {
  Line line;
  line.common.home = default_home();
  add_common(line);
  add_init_join_recover(line);
  add_who(line);
  add_vaults_and_region(line);
  add_protection(line);
  add_policy(line);
  add_account(line);
  add_log(line);
  add_backup(line);
  add_reading(line);
  add_keeping(line);
  add_restore_and_check(line);
  try {
    line.app.parse(words(argc, argv));
  } catch (const CLI::Success& help) {
    return line.app.exit(help);
  } catch (const CLI::ParseError& error) {
    line.common.json = wants_json(argc, argv);
    std::string what = error.what();
    if (what == "A subcommand is required") what = "That is no command, or not a whole one";
    return Console(line.common)
        .usage(what + " (holdfast --help lists the commands, holdfast COMMAND --help their flags)");
  }
  Console console(line.common);
  if (line.app.got_subcommand("check") &&
      line.app.get_subcommand("check")->count("--read-data") > 0) {
    const std::optional<unsigned> share = percent(line.read_data.empty() ? "100" : line.read_data);
    if (!share)
      return console.usage("--read-data takes a share from 1% to 100%, as in --read-data=5%.");
    line.check.read_percent = *share;
  }
  const Result<int> code = line.chosen(line.common, console);
  const int exit_code = code.ok() ? *code : console.failure(code.error());
  if (console.flush()) return exit_code;
  return console.failure(
      {Code::kUnavailable, "The output could not be written; is its disk full?"});
}

}  // namespace
}  // namespace holdfast::app

int main(int argc, char** argv) {
  holdfast::crypto::protect_process();
  umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  std::setlocale(LC_ALL, "");
  return holdfast::app::run(argc, argv);
}

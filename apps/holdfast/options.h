// What was typed, as plain values: main.cpp fills them and nothing else knows the command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vault/retention.h"

namespace holdfast::app {

struct Common {
  std::string home;
  std::string server;
  std::string server_fingerprint;
  std::string passphrase_file;
  std::uint64_t upload_bytes_per_second = 0;  // 0: as fast as it goes
  bool unattended = false;
  bool json = false;
  bool quiet = false;
  bool yes = false;
};

struct InitArgs {
  bool advanced = false;
  std::string invitation_file;
  std::string account;
  std::string device_name;
  std::string region = "ZZ";
  std::string recovery_key_file;
};

struct LogVerifyArgs {
  std::string folder;
  std::string roots_file;
  std::string evidence;
  std::string release;  // a file that the log should name
};

struct LogAcceptArgs {
  std::string reason;
};

struct ResendArgs {
  std::string invitation_file;
};

struct JoinArgs {
  std::string account;
  std::string device_name;
};

struct HelpRequestArgs {
  std::string account;
  std::string device_name;
  bool wait = false;
};

struct RecoverArgs {
  std::string device_name;
  std::string recovery_key_file;
  std::vector<std::string> keep;
};

struct RecoveryKeyArgs {
  std::string recovery_key_file;
  std::string old_recovery_key_file;
};

struct WaitingArgs {
  std::uint64_t number = 0;  // of its proposal; 0: the only one
};

struct ProtectionStandardArgs {
  std::string recovery_key_file;  // of the key that vouches; "": the level is proposed
};

struct UndoArgs {
  std::string vault;                         // "": all, or main
  std::optional<std::uint64_t> number = {};  // of a record; none: list them
};

struct ResealArgs {
  std::string vault = "main";
  std::string limit_upload;  // "": as fast as it goes
};

struct ForgetArgs {
  std::string vault = "main";
  vault::KeepRules keep;
  std::vector<std::string> which;
  std::vector<std::string> tags;
  bool dry_run = false;
};

struct PruneArgs {
  std::string vault = "main";
  bool dry_run = false;
  unsigned max_waste = 50;
};

struct VaultCreateArgs {
  std::string name;
  bool always_e2e = false;
};

struct PassphraseArgs {
  std::string new_passphrase_file;
  bool new_unattended = false;
};

struct BackupArgs {
  std::string vault = "main";
  std::vector<std::string> paths;
  std::vector<std::string> exclude;
  std::vector<std::string> exclude_from;
  bool exclude_caches = false;
  bool one_file_system = false;
  bool nodump = false;
  std::string limit_upload;
  int nice = 0;
  std::vector<std::string> tags;
  bool dry_run = false;
};

struct LsArgs {
  std::string vault = "main";
  std::string where;   // SNAP[:/PATH]
  unsigned depth = 0;  // 0: all the way down
};

struct CatArgs {
  std::string vault = "main";
  std::string where;
};

struct DiffArgs {
  std::string vault = "main";
  std::string from;
  std::string to;
};

struct FindArgs {
  std::string vault = "main";
  std::string glob;
};

struct RestoreArgs {
  std::string vault = "main";
  std::string where;
  std::string target;
  std::vector<std::string> include;
  std::string overwrite = "never";
  bool dry_run = false;
  bool numeric_ids = false;
};

struct CheckArgs {
  std::string vault = "main";
  unsigned read_percent = 0;
};

}  // namespace holdfast::app

// What each command does. The Result is an exit code; an Error is printed by main.
#pragma once

#include "console.h"
#include "options.h"
#include "vault/vault.h"

namespace holdfast::app {

// ---- commands_account.cpp: who ----
Result<int> run_init(const Common& common, const InitArgs& args, Console& console);
Result<int> run_join(const Common& common, const JoinArgs& args, Console& console);
Result<int> run_recover(const Common& common, const RecoverArgs& args, Console& console);
Result<int> run_devices_list(const Common& common, Console& console);
Result<int> run_devices_approve(const Common& common, Console& console);
Result<int> run_devices_remove(const Common& common, const std::vector<std::string>& names,
                               Console& console);
Result<int> run_readers(const Common& common, Console& console);
Result<int> run_recovery_key(const Common& common, const RecoveryKeyArgs& args, Console& console);
// ---- commands_recovery.cpp: a new recovery key that waits ----
Result<int> run_recovery_show(const Common& common, Console& console);
Result<int> run_recovery_complete(const Common& common, const WaitingArgs& args, Console& console);
Result<int> run_recovery_cancel(const Common& common, const WaitingArgs& args, Console& console);
// ---- commands_help.cpp: an owner without devices asks the provider ----
Result<int> run_help_request(const Common& common, const HelpRequestArgs& args, Console& console);
// ---- commands_protection.cpp: the level ----
Result<int> run_protection_show(const Common& common, Console& console);
Result<int> run_protection_advanced(const Common& common, Console& console);
Result<int> run_protection_standard(const Common& common, const ProtectionStandardArgs& args,
                                    Console& console);
Result<int> run_protection_complete(const Common& common, const WaitingArgs& args,
                                    Console& console);
Result<int> run_protection_cancel(const Common& common, const WaitingArgs& args, Console& console);

// ---- commands_keep.cpp: what is kept no longer ----
Result<int> run_forget(const Common& common, const ForgetArgs& args, Console& console);
Result<int> run_prune(const Common& common, const PruneArgs& args, Console& console);

// ---- commands_undo.cpp: what devices took away ----
Result<int> run_undo(const Common& common, const UndoArgs& args, Console& console);
// A warning for each other device that took something.
Result<void> tell_losses(vault::Account& account, TimeMs now, Console& console);

// ---- commands_policy.cpp: what the service offers, where ----
Result<int> run_policy_show(const Common& common, Console& console);
Result<int> run_policy_acknowledge(const Common& common, Console& console);
Result<int> run_region_show(const Common& common, Console& console);
Result<int> run_region_set(const Common& common, const std::string& region, Console& console);
// What is not acknowledged, and whether this program is too old.
void tell_policy(const vault::Account& account, Console& console);

// ---- commands_reseal.cpp: what a key that was copied could still open ----
Result<int> run_reseal(const Common& common, const ResealArgs& args, Console& console);
// How much it is, for each vault that somebody who went could read.
Result<void> show_exposure(vault::Account& account, Console& console);

Result<int> run_vault_list(const Common& common, Console& console);
Result<int> run_vault_create(const Common& common, const VaultCreateArgs& args, Console& console);
Result<int> run_passphrase_change(const Common& common, const PassphraseArgs& args,
                                  Console& console);

Result<int> run_account_show(const Common& common, Console& console);
Result<int> run_account_delete(const Common& common, Console& console);
Result<int> run_account_keep(const Common& common, Console& console);
Result<int> run_account_connections(const Common& common, Console& console);
Result<int> run_log(const Common& common, Console& console);
Result<int> run_log_accept(const Common& common, const LogAcceptArgs& args, Console& console);
Result<int> run_log_verify(const Common& common, const LogVerifyArgs& args, Console& console);
Result<int> run_account_resend(const Common& common, const ResendArgs& args, Console& console);

// ---- commands_data.cpp: what ----
Result<int> run_backup(const Common& common, const BackupArgs& args, Console& console);
Result<int> run_snapshots(const Common& common, const std::string& vault, Console& console);
Result<int> run_ls(const Common& common, const LsArgs& args, Console& console);
Result<int> run_cat(const Common& common, const CatArgs& args, Console& console);
Result<int> run_diff(const Common& common, const DiffArgs& args, Console& console);
Result<int> run_find(const Common& common, const FindArgs& args, Console& console);
Result<int> run_restore(const Common& common, const RestoreArgs& args, Console& console);
// ---- commands_check.cpp: whether it is whole ----
Result<int> run_check(const Common& common, const CheckArgs& args, Console& console);
Result<int> run_repair(const Common& common, const std::string& vault, Console& console);

}  // namespace holdfast::app

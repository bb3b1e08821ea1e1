// From what was typed to the home, the store and the account that a command works on.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "console.h"
#include "options.h"
#include "store/local_store.h"
#include "vault/home.h"
#include "vault/vault.h"

namespace holdfast::app {

// A home that belongs to an account, unlocked, and the account read and verified from the store.
// The account refers to the others, so all stay where they are.
struct Opened {
  vault::Home home;
  std::unique_ptr<api::Store> store;
  SystemClock clock;
  std::optional<vault::Account> opened;

  vault::Account& account() { return *opened; }
};
// What waits for three days in this account, what other devices took away, and a policy that nobody
// acknowledged, is said at every command but those that are about it.
enum class Tell { kAll, kNoWaiting, kNoLosses, kNoPolicy };
Result<std::unique_ptr<Opened>> open_account(const Common& common, Console& console,
                                             Tell tell = Tell::kAll);
Result<void> tell_opened(Opened& opened, Console& console, Tell tell);
// In red, where the service's log contradicted itself: said before anything else.
void tell_contradiction(const vault::Account& account, Console& console);
// Without reading the account: `opened` is empty.
Result<std::unique_ptr<Opened>> open_member(const Common& common, const std::string& invitation,
                                            Console& console);

// A home that belongs to no account yet, with a fresh device secret, and the store named.
struct Fresh {
  vault::Home home;
  std::unique_ptr<api::Store> store;
  SystemClock clock;
};
Result<std::unique_ptr<Fresh>> open_fresh(const Common& common, store::Create create,
                                          const std::string& invitation, Console& console);

// The same of a home whose device asked the provider for help and waits; null: it did not ask.
Result<std::unique_ptr<Fresh>> open_asking(const Common& common, Console& console);

// Without the store.
Result<vault::Home> open_member_home(const Common& common, Console& console);

// The service that --server names, without an account; its key as given or compared.
Result<std::unique_ptr<api::Store>> open_stranger(const Common& common, Console& console);

// "" where no file is named.
Result<std::string> read_invitation(const std::string& file);

enum class Wanted { kStanding, kNew };  // a new passphrase is asked for twice
Result<vault::Unlock> ask_unlock(const std::string& file, Wanted wanted, Console& console);

std::string default_home();
std::string default_account();
std::string default_device_name();

// "500", "500K", "2M", "1G", of 1024; at least one byte.
std::optional<std::uint64_t> rate_of(std::string_view text);

struct Where {
  std::string snapshot;
  std::string path;  // "" when there was none
};
Where split_where(std::string_view text);  // SNAP[:/PATH]

}  // namespace holdfast::app

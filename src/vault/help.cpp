#include "vault/help.h"

#include "circle/help.h"
#include "vault/account_state.h"

namespace holdfast::vault {
namespace {

constexpr const char* kRequest = "help_request";

// Who has no key of the account's log cannot judge what it proved of ages. Nothing is decided by
// them here: what this device reads, the provider could read.
class BelievedAges final : public circle::Ages {
  Result<void> check(BytesView, std::uint64_t, const Digest&, std::int64_t) const override {
    return Ok{};
  }
};

}  // namespace

// The circle is the one that the service shows: who helps is believed. What it shows is opened by
// keys that the provider wrapped to this device, or not at all.
Result<Account> Account::open_helped(Home& home, api::Store& store, const Clock& clock) {
  auto session = TRY(store.open_account(home.setting("account"), caller(home.device_key())));
  circle::Device own;
  own.info = device_info(home.device_key(), home.setting("device_name"));
  own.id = circle::reader_id(own.info);
  auto state = std::make_unique<State>(State{
      home,
      store,
      clock,
      signing_key(home.device_key()),
      Replica(std::move(session), own.id, crypto::derive<crypto::WrapPurpose>(home.device_key()),
              std::make_shared<const BelievedAges>()),
      {},
      {},
      {},
      {},
      {}});
  state->helped = own;
  TRY(state->sync());
  return Account(std::move(state));
}

Result<std::string> ask_for_help(Home& home, api::Store& store, const Clock& clock,
                                 const std::string& account, const std::string& device_name) {
  TRY(check_typed(account));
  TRY(check_typed(device_name));
  circle::HelpRequest request;
  request.account = account;
  request.device = device_info(home.device_key(), device_name);
  request.time_ms = clock.now();
  const Bytes bytes = circle::sign_help_request(request, signing_key(home.device_key()));
  TRY(circle::verify_help_request(bytes));
  TRY(store.ask_help(account, bytes));
  TRY(home.set_setting("account", account));
  TRY(home.set_setting("device_name", device_name));
  // Last: what was cut short before is asked anew, with other keys.
  TRY(home.set_setting(kRequest, to_hex(bytes)));
  return circle::help_code(bytes);
}

Result<std::string> asked_for_help(const Home& home) {
  const std::string text = home.setting(kRequest);
  if (text.empty()) return std::string();
  const auto bytes = from_hex(text);
  if (!bytes) return Error{Code::kCorrupt, "the request for help in this home is damaged"};
  return circle::help_code(*bytes);
}

// A stranger and a key that waits get the same answer.
Result<bool> help_was_given(const Home& home, api::Store& store) {
  const auto session = TRY(store.open_account(home.setting("account"), caller(home.device_key())));
  const auto read = session->read_circle(0);
  if (read.ok()) return true;
  if (read.error().code == Code::kDenied || read.error().code == Code::kNotFound) return false;
  return read.error();
}

}  // namespace holdfast::vault

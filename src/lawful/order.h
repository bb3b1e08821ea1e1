// The disclosure order: what two operators sign before a custodian gives out the keys of an
// account's vaults, and a machine apart opens them. docs/formats/disclosure.md#the-order
//
// It names all of its scope: one account, its vaults by id and epoch, the key that the vaults' keys
// are sealed to, the key that the result is sealed to, and from when to when the service received
// what may be opened. Custodian and disclosure machine each judge it by operators' keys that they
// were given themselves; a service that lies can neither make one nor widen one.
#pragma once

#include "circle/circle.h"
#include "circle/help.h"

namespace holdfast::lawful {

inline constexpr std::string_view kOrderLabel = "holdfast/v1/disclosure-order/sig";
inline constexpr std::string_view kKeyLabel = "holdfast/v1/disclosure-key";

constexpr std::size_t kMaxOrder = 16 * 1024;
constexpr std::size_t kMaxOrderedKeys = 64;
constexpr std::size_t kOrderSigners = 2;  // operators, different ones
constexpr std::size_t kMaxOrderSignatures = 4;
constexpr std::uint8_t kMaxOpeningDays = 90;
constexpr std::int64_t kOrderMs = 30LL * 24 * 60 * 60 * 1000;  // it is good for so long

// One key of the custodian's. With it, and the links in the account, those of epochs before open.
struct OrderedKey {
  VaultId vault;
  std::uint32_t epoch = 0;
  static constexpr auto kFields = wire::fields(&OrderedKey::vault, &OrderedKey::epoch);
  auto operator<=>(const OrderedKey&) const = default;
};

// The machine that opens: one seed, made for one order, is behind both (`holdfast-disclose
// keygen`).
struct DisclosureKey {
  std::array<std::uint8_t, crypto::WrapPublicKey::kSize> wrap_key{};
  std::array<std::uint8_t, crypto::VerifyKey::kSize> verify_key{};
  static constexpr auto kFields =
      wire::fields(&DisclosureKey::wrap_key, &DisclosureKey::verify_key);
  bool operator==(const DisclosureKey&) const = default;
};

struct DisclosureOrder {
  wire::Fixed<"holdfast/v1/disclosure-order"> label;
  Digest instrument;  // SHA-256 of the demand's bytes
  CircleId circle;
  wire::Bounded<OrderedKey, kMaxOrderedKeys> keys;  // strictly ascending, at least one
  DisclosureKey discloser;
  DisclosureKey requester;
  std::int64_t from_ms = 0;    // of the service's receipt of a snapshot: not before,
  std::int64_t until_ms = 0;   // and before this
  std::uint8_t open_days = 0;  // until the account is told: what the custodian's batches say
  std::int64_t made_ms = 0;    // by the clock of whoever wrote it
  static constexpr auto kFields =
      wire::fields(&DisclosureOrder::label, &DisclosureOrder::instrument, &DisclosureOrder::circle,
                   &DisclosureOrder::keys, &DisclosureOrder::discloser, &DisclosureOrder::requester,
                   &DisclosureOrder::from_ms, &DisclosureOrder::until_ms,
                   &DisclosureOrder::open_days, &DisclosureOrder::made_ms);
};

struct OrderSignature {
  std::array<std::uint8_t, crypto::VerifyKey::kSize> operator_key{};
  crypto::Signature signature{};
  static constexpr auto kFields =
      wire::fields(&OrderSignature::operator_key, &OrderSignature::signature);
};

struct SignedOrder {
  Bytes order;
  wire::Bounded<OrderSignature, kMaxOrderSignatures> signatures;
  static constexpr auto kFields = wire::fields(&SignedOrder::order, &SignedOrder::signatures);
};

// The keys that an order for these vaults names now: each one's of the account's epoch. kNotFound:
// there is no such vault. kDenied: its custodian has no key of it.
Result<std::vector<OrderedKey>> keys_now(const circle::Circle& circle,
                                         const std::vector<VaultId>& vaults);

// kInvalid: it makes no sense, or cannot be read.
Result<DisclosureOrder> read_order(BytesView order);
Digest order_hash(BytesView order);

// One operator's, encoded, of an encoded order.
OrderSignature sign_order(BytesView order, const crypto::SigningKey& operator_key);
// kDenied unless that is a signature of this order.
Result<void> verify_signature(BytesView order, const OrderSignature& signature);

// What it orders. kDenied unless two of `operators`, and different ones, signed it; as
// read_order() too.
struct VerifiedOrder {
  DisclosureOrder order;
  Digest hash;                               // of the order without its signatures
  std::vector<crypto::VerifyKey> signed_by;  // of `operators`
};
Result<VerifiedOrder> verify_order(BytesView signed_order, const circle::OperatorKeys& operators);

// What a vault's key is bound to that is sealed to the disclosure key.
Bytes sealed_key_info(const Digest& order, const CircleId& circle, const OrderedKey& key,
                      const DisclosureKey& discloser);

// "2432 + 130 hexadecimal digits, joined by a point": how a disclosure key is copied.
std::string spell(const DisclosureKey& key);
Result<DisclosureKey> read_disclosure_key(std::string_view text);

}  // namespace holdfast::lawful
